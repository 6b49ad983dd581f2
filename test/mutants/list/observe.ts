/** What those who watch the shop are told. */
import type { Mutant } from "../mutant.ts";

export const OBSERVE: readonly Mutant[] = [
  {
    what: "a service's state is opened without its name, so that nobody counts what it does",
    file: "functions/state/open-state.ts",
    before: "      name,\n      url: redisUrl,",
    after: "      url: redisUrl,",
    promise: ["`shop_append_seconds{service}`", "`shop_restores_total{service}`", "`shop_group_transactions{service}`"],
    project: "host",
    tests: "host/test/observe.test",
    name: "the metrics count what was asked",
  },
];
