import { verify, type Finding, type Law, type Verified } from "log-replay/tools";
import { EXIT } from "../exit.ts";
import { LAWS, type Law as ShopLaw, type ShopRecord } from "../laws.ts";
import { count, paint, print, printJson } from "../output.ts";
import { openLogs, type OpenLog } from "../open-logs.ts";

export async function verifyLogs(
  services: readonly string[],
  { json = false }: { readonly json?: boolean },
): Promise<void> {
  for (const log of await openLogs(services)) {
    const { damages } = await verifyOne(log, json);
    if (damages > 0) process.exitCode = EXIT.wrong;
  }
}

export async function verifyOne({ service, store, where }: OpenLog, json: boolean): Promise<Verified> {
  const law: Law = (record, before) => LAWS[service](record as unknown as ShopRecord, before as Parameters<ShopLaw>[1]);
  const reading = verify(store, { law });
  for (;;) {
    const { done, value } = await reading.next();
    if (!done) {
      await (json ? printJson({ service, ...value }) : print(described(service, value)));
      continue;
    }
    const { records, epochs, damages } = value;
    if (json) await printJson({ service, kind: "summary", ...value });
    else {
      const verdict = damages === 0 ? paint("green", "sound") : paint(["red", "bold"], count(damages, "problem"));
      await print(
        `${service.padEnd(7)}  ${verdict}: ${count(records, "commit")} in ${count(epochs, "epoch")} (${where})`,
      );
    }
    return value;
  }
}

function described(service: string, { kind, file, line, what }: Finding): string {
  const place = `${file}${line > 0 ? `:${line}` : ""}`;
  return `${service.padEnd(7)}  ${kind === "damage" ? paint("red", "damage") : paint("yellow", "note")}  ${paint("bold", place)}: ${what}`;
}
