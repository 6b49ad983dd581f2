import type { Statistics } from "./explorer.ts";
import { EVENT_FLAWS } from "./events/flaws.ts";
import { LOG_FLAWS } from "./log/flaws.ts";
import { logModel } from "./log/model.ts";
import { count, HELP, readOptions, type Options } from "./options.ts";
import { configuration, configurations, mutants, PARTS, type Outcome, type Part, type Planned } from "./plan.ts";
import { json, numbers, report, row } from "./report.ts";
import { SAGA_FLAWS } from "./saga/flaws.ts";
import { sagaModel } from "./saga/model.ts";

const LETTERS = "xyzuvw";

function planOf({ values, faults }: Options): readonly Planned[] {
  const { flaw } = values;
  const parts: readonly Part[] = values.only === undefined ? PARTS : [values.only];
  if (flaw !== undefined) {
    const named = parts.flatMap(mutants).filter(({ name }) => name === flaw);
    if (named.length === 0) throw new TypeError(`there is no mutant "${flaw}"; --list names them`);
    return named;
  }
  if (values.mutants) return parts.flatMap(mutants);
  if (values.checkouts !== undefined || values.resumers !== undefined) {
    const saga = {
      checkouts: count(values.checkouts, 1),
      resumers: count(values.resumers, 1),
      crashes: count(values.crashes),
      remakes: count(values.remakes),
      funds: count(values.funds),
      stock: count(values.stock, 1),
      credit: count(values.credit, 1),
    };
    return [configuration(`saga ${JSON.stringify(saga)}`, () => sagaModel(saga))];
  }
  if (
    values.instances !== undefined ||
    values.programs !== undefined ||
    Object.values(faults).some((times) => times > 0)
  ) {
    const programs =
      values.programs?.split(",") ??
      Array.from({ length: count(values.instances, 2) }, (_, i) => (i === 0 ? "Cx Rx" : `C${LETTERS.charAt(i % 2)}`));
    const asked = Object.fromEntries(Object.entries(faults).filter(([, times]) => times > 0));
    return [configuration(`log ${programs.join(", ")} ${JSON.stringify(asked)}`, () => logModel({ programs, faults }))];
  }
  return [...parts.flatMap(configurations), ...parts.flatMap(mutants)];
}

/** A mutant's counterexample is printed if the mutant was asked for by name; any other one always. */
function print(outcome: Outcome, { values }: Options): string {
  if (values.json) return json(outcome);
  const isNews = outcome.kind === "configuration" || values.flaw !== undefined || !outcome.asExpected;
  return isNews ? report(outcome, { states: values.states ?? false }) : row(outcome);
}

function main(args: readonly string[]): void {
  const options = readOptions(args);
  const { values } = options;
  if (values.help) return console.log(HELP);
  if (values.list) {
    for (const [flaw, what] of Object.entries({ ...LOG_FLAWS, ...SAGA_FLAWS, ...EVENT_FLAWS }))
      console.log(`${flaw.padEnd(36)} ${what}`);
    return;
  }
  const limits = {
    maxStates: values["max-states"] === undefined ? Infinity : count(values["max-states"]),
    maxDepth: values["max-depth"] === undefined ? Infinity : count(values["max-depth"]),
    settling: !values["no-settling"],
    onProgress: (statistics: Statistics) => console.error(`… ${numbers(statistics)}`),
  };
  for (const { run } of planOf(options)) {
    const outcome = run(limits);
    console.log(print(outcome, options));
    if (!outcome.asExpected) process.exitCode = 1;
  }
}

try {
  main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
