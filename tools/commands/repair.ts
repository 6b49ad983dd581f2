import { planRepair, repair, type RepairPlan } from "log-replay/tools";
import { EXIT } from "../exit.ts";
import { confirmed, count, print } from "../output.ts";
import { openLog } from "../open-logs.ts";

export async function repairLog(service: string, { yes = false }: { readonly yes?: boolean }): Promise<void> {
  const { store, where } = await openLog(service);
  const plan = await planRepair(store);
  const steps = described(plan);
  for (const { file, line, what } of plan.damages) await print(`${file}${line > 0 ? `:${line}` : ""}: ${what}`);
  if (plan.hopeless.length > 0) {
    for (const why of plan.hopeless) await print(`cannot be repaired: ${why}`);
    process.exitCode = EXIT.wrong;
    return;
  }
  if (steps.length === 0 && plan.damages.length > 0) {
    await print(
      "Nothing of that can be repaired: it is in the archive, which the state does not need. Bring the file back from a copy.",
    );
    process.exitCode = EXIT.wrong;
    return;
  }
  if (steps.length === 0) return print(`nothing is to be repaired in ${where}`);
  await print(`\nA repair of ${where} would:`);
  for (const step of steps) await print(`  - ${step}`);
  if (!(await confirmed("Do it?", yes))) {
    await print("Nothing was changed.");
    process.exitCode = EXIT.wrong;
    return;
  }
  const { copies, epoch } = await repair(store, plan);
  for (const { segment, copy } of copies) await print(`kept: ${copy} (was ${segment})`);
  if (epoch !== null) await print(`epoch ${epoch} has begun behind what was kept`);
  await print("Repaired. `npx shoplog verify` shows it; the services restore themselves from it.");
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
