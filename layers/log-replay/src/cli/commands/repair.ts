import { planRepair, repair as carryOut, type RepairPlan } from "../../tools/repair.ts";
import { EXIT } from "../exit.ts";
import { Gathered } from "../gathered.ts";
import { one, openOne, type Logs } from "../logs.ts";
import { confirmed, count, paint, print } from "../output.ts";
import { command, type Command } from "../program.ts";

export function repair(logs: Logs): Command {
  const { log } = logs.example;
  return command({
    name: "repair",
    arguments: one(logs),
    what: "what can be done about damage: says it, asks, and keeps a copy of what it replaces",
    examples: [`repair ${log}`, `repair ${log} --yes`],
    options: { yes: { what: "does not ask" } },
    async run([name = ""], { yes = false }) {
      const { store, where } = await openOne(logs, name);
      const plan = await planRepair(store);
      const steps = described(plan);
      for (const { file, what } of plan.strays) await print(`${paint("yellow", "note")}  ${file}: ${what}`);
      const damages = new Gathered(({ what }, spot) => print(`${spot}: ${what}`));
      for (const damage of plan.damages) await damages.add(damage);
      await damages.end();
      if (plan.hopeless.length > 0) return refuse(plan.hopeless.map((why) => `cannot be repaired: ${why}`));
      if (steps.length === 0 && plan.damages.length > 0)
        return refuse([
          "Nothing of that can be repaired: it is in the archive, which the state does not need. Bring the file back from a copy.",
        ]);
      if (steps.length === 0) return print(`nothing is to be repaired in ${where}`);
      await print(`\nA repair of ${where} would:`);
      for (const step of steps) await print(`  - ${step}`);
      if (!(await confirmed("Do it?", yes))) return refuse(["Nothing was changed."]);
      const { copies, epoch } = await carryOut(store, plan);
      for (const { segment, copy } of copies) await print(`kept: ${copy} (was ${segment})`);
      if (epoch !== null) await print(`epoch ${epoch} has begun behind what was kept`);
      await print("Repaired: `verify` shows it, and the next restore reads it.");
    },
  });
}

async function refuse(lines: readonly string[]): Promise<void> {
  process.exitCode = EXIT.wrong;
  for (const line of lines) await print(line);
}

function described({ replace, claims, begins, cut, torn }: RepairPlan): string[] {
  return [
    ...replace.map(({ name }) => `replace ${name} by what is intact in it, and keep it under another name`),
    ...claims.map((epoch) => `claim epoch ${epoch} again`),
    ...[...begins].map(
      ([epoch, { parent, cut: from }]) =>
        `write down again that epoch ${epoch} goes on from commit ${from} of epoch ${parent}, as its records tell`,
    ),
    ...torn.map(
      ({ segment, offset }) =>
        `cut the torn end of ${segment.name} off behind byte ${offset}, and keep a copy, if its writer is gone`,
    ),
    ...(cut === null
      ? []
      : [
          `end the history behind commit ${cut.epoch}:${cut.n}, in a new epoch: ${count(cut.lost, "commit")} after it will not count any more, though they stay in their files; they may have been answered for`,
        ]),
  ];
}
