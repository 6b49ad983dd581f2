import { command, count, EXIT, paint, print, printJson } from "log-replay/cli";
import { historyLines, parseRecord } from "log-replay/tools";
import { Accounts, type Sums } from "../accounts.ts";
import type { ShopRecord } from "../laws.ts";
import { openLogs } from "../open-logs.ts";

export const audit = command({
  name: "audit",
  arguments: "",
  what: "whether stock and credit went where the paid orders say, over all three services, from the logs alone",
  examples: ["audit", "audit --json"],
  options: { json: { what: "one JSON object, for programs" } },
  run: async (_, { json = false }) => auditAll(json),
});

async function auditAll(json: boolean): Promise<void> {
  const accounts = new Accounts();
  for (const { service, store } of await openLogs([])) {
    for await (const { line, file } of historyLines(store))
      accounts.add(service, parseRecord(line, file) as unknown as ShopRecord);
  }
  const result = accounts.result();
  if (result.violations.length > 0) process.exitCode = EXIT.wrong;
  if (json) return printJson(result);
  const { paid, failed, open } = result.checkouts;
  await print(`checkouts  ${paid} paid, ${failed} failed, ${open} open`);
  await print(`credit     ${summed(result.credit)}`);
  await print(`stock      ${summed(result.stock)}`);
  for (const violation of result.violations) await print(`${paint("red", "violation")}  ${violation}`);
  await print(
    result.violations.length === 0
      ? paint("green", "conserved")
      : paint(["red", "bold"], count(result.violations.length, "violation")),
  );
}

function summed({ putIn, takenOut, spent, turnedBack, left }: Sums): string {
  const back = turnedBack === 0 ? "" : `, ${turnedBack} by restores`;
  return `${putIn} put in, ${takenOut} taken out directly, ${spent} spent in checkouts${back}, ${left} left`;
}
