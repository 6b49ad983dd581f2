import { expect, test } from "@jest/globals";
import { explore } from "../explorer.ts";
import { report } from "../report.ts";
import { SAGA_CONFIGURATIONS, SAGA_MUTANTS } from "../saga/configurations.ts";
import { SAGA_FLAWS, type SagaFlaw } from "../saga/flaws.ts";
import { sagaModel } from "../saga/model.ts";

const MINUTES = 60_000;

test.each(Object.entries(SAGA_CONFIGURATIONS))("the saga's invariants hold in every state: %s", (name, configuration) => {
  const result = explore(sagaModel(configuration));

  expect(report(name, result)).toContain("holds in all states");
}, 3 * MINUTES);

test.each(Object.entries(SAGA_FLAWS))("a counterexample is found where %s: %s", (flaw) => {
  const configuration = SAGA_MUTANTS[flaw as SagaFlaw];

  const result = explore(sagaModel({ ...configuration, flaw: flaw as SagaFlaw }));

  expect(result.counterexample).not.toBeNull();
  const printed = report(flaw, result);
  for (const { step } of result.counterexample?.trace ?? []) expect(printed).toContain(step);
}, 3 * MINUTES);
