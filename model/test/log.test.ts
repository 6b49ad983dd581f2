import { expect, test } from "@jest/globals";
import { explore } from "../explorer.ts";
import { LOG_CONFIGURATIONS, LOG_MUTANTS } from "../log/configurations.ts";
import { LOG_FLAWS, type LogFlaw } from "../log/flaws.ts";
import { logModel } from "../log/model.ts";
import { report } from "../report.ts";

const MINUTES = 60_000;

test.each(Object.entries(LOG_CONFIGURATIONS))("the log's invariants hold in every state: %s", (name, configuration) => {
  const result = explore(logModel(configuration));

  expect(report(name, result)).toContain("holds in all states");
}, 3 * MINUTES);

test.each(Object.entries(LOG_FLAWS))("a counterexample is found where %s: %s", (flaw) => {
  const configuration = LOG_MUTANTS[flaw as LogFlaw];

  const result = explore(logModel({ ...configuration, flaw: flaw as LogFlaw }));

  const { counterexample } = result;
  expect(counterexample).not.toBeNull();
  const printed = report(flaw, result);
  for (const { step } of counterexample?.trace ?? []) expect(printed).toContain(step);
  expect(printed).toContain(`Invariant ${counterexample?.violation.invariant}`);
}, 3 * MINUTES);
