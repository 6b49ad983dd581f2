import { explore, type Limits, type Model } from "./explorer.ts";
import { LOG_CONFIGURATIONS, LOG_MUTANTS } from "./log/configurations.ts";
import { LOG_FLAWS, type LogFlaw } from "./log/flaws.ts";
import { logModel } from "./log/model.ts";
import { count, HELP, readOptions, type Options } from "./options.ts";
import { numbers, report } from "./report.ts";
import { SAGA_CONFIGURATIONS, SAGA_MUTANTS } from "./saga/configurations.ts";
import { SAGA_FLAWS, type SagaFlaw } from "./saga/flaws.ts";
import { sagaModel } from "./saga/model.ts";

/** What is to be explored, each made when its turn comes. */
type Plan = readonly { readonly name: string; readonly run: (limits: Limits, states: boolean) => { readonly text: string; readonly asExpected: boolean } }[];

function planned<S>(name: string, make: () => Model<S>): Plan[number] {
  return {
    name,
    run: (limits, states) => {
      const result = explore(make(), limits);
      return { text: report(name, result, { states }), asExpected: result.counterexample === null };
    },
  };
}

/** A mutant is as it should be where a counterexample is found. */
function mutant<S>(flaw: string, make: () => Model<S>, inFull: boolean): Plan[number] {
  return {
    name: flaw,
    run: (limits, states) => {
      const result = explore(make(), limits);
      const { counterexample } = result;
      if (counterexample === null) return { text: `${flaw}: NOT FOUND (${numbers(result)})`, asExpected: false };
      const row = `${flaw.padEnd(36)} ${counterexample.violation.invariant.padEnd(34)} ${String(counterexample.trace.length).padStart(3)} steps, ${numbers(result)}`;
      return { text: inFull ? report(flaw, result, { states }) : row, asExpected: true };
    },
  };
}

const logPlan = (): Plan => Object.entries(LOG_CONFIGURATIONS).map(([name, configuration]) => planned(`log: ${name}`, () => logModel(configuration)));
const sagaPlan = (): Plan => Object.entries(SAGA_CONFIGURATIONS).map(([name, configuration]) => planned(`saga: ${name}`, () => sagaModel(configuration)));

function mutants(only: string | undefined, named?: string): Plan {
  const isAsked = (flaw: string): boolean => named === undefined || flaw === named;
  const log = Object.keys(LOG_FLAWS).filter(isAsked) as LogFlaw[];
  const saga = Object.keys(SAGA_FLAWS).filter(isAsked) as SagaFlaw[];
  return [
    ...(only === "saga" ? [] : log.map((flaw) => mutant(flaw, () => logModel({ ...LOG_MUTANTS[flaw], flaw }), named !== undefined))),
    ...(only === "log" ? [] : saga.map((flaw) => mutant(flaw, () => sagaModel({ ...SAGA_MUTANTS[flaw], flaw }), named !== undefined))),
  ];
}

const LETTERS = "xyzuvw";

function planOf({ values, faults }: Options): Plan {
  const { only, flaw } = values;
  if (flaw !== undefined) return mutants(only, flaw);
  if (values.mutants) return mutants(only);
  if (values.checkouts !== undefined || values.resumers !== undefined) {
    const saga = {
      checkouts: count(values.checkouts, 1), resumers: count(values.resumers, 1), crashes: count(values.crashes), remakes: count(values.remakes),
      funds: count(values.funds), stock: count(values.stock, 1), credit: count(values.credit, 1),
    };
    return [planned(`saga: ${JSON.stringify(saga)}`, () => sagaModel(saga))];
  }
  if (values.instances !== undefined || values.programs !== undefined || Object.values(faults).some((times) => times > 0)) {
    const programs = values.programs?.split(",") ?? Array.from({ length: count(values.instances, 2) }, (_, i) => (i === 0 ? "Cx Rx" : `C${LETTERS.charAt(i % 2)}`));
    return [planned(`log: ${programs.join(", ")} ${JSON.stringify(faults)}`, () => logModel({ programs, faults }))];
  }
  return [...(only === "saga" ? [] : logPlan()), ...(only === "log" ? [] : sagaPlan()), ...mutants(only)];
}

function main(args: readonly string[]): void {
  const options = readOptions(args);
  const { values } = options;
  if (values.help) return console.log(HELP);
  if (values.list) {
    for (const [flaw, what] of Object.entries({ ...LOG_FLAWS, ...SAGA_FLAWS })) console.log(`${flaw.padEnd(36)} ${what}`);
    return;
  }
  const limits: Limits = {
    maxStates: values["max-states"] === undefined ? Infinity : count(values["max-states"]),
    maxDepth: values["max-depth"] === undefined ? Infinity : count(values["max-depth"]),
    settling: !values["no-settling"],
    onProgress: (statistics) => console.error(`… ${numbers(statistics)}`),
  };
  const plan = planOf(options);
  if (plan.length === 0) throw new TypeError(`there is no flaw "${values.flaw}"; --list names them`);
  for (const { run } of plan) {
    const { text, asExpected } = run(limits, values.states ?? false);
    console.log(text);
    if (!asExpected) process.exitCode = 1;
  }
}

try {
  main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
