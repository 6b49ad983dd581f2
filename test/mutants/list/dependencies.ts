/** What the shop stands on fails: Redis, the disk, the folder of the log. On whole hosts, so these take longest. */
import type { Mutant } from "../mutant.ts";

const shop = (mutant: Omit<Mutant, "project" | "tests">): Mutant => ({
  ...mutant,
  project: "shop",
  tests: "test/dependencies",
});

export const DEPENDENCIES: readonly Mutant[] = [
  shop({
    what: "a request gives up after a tenth of a second",
    file: "functions/handler/endpoint.ts",
    before: "export const PATIENCE = 10_000;",
    after: "export const PATIENCE = 100;",
    promise: "a Redis is slow",
    name: "a Redis that is slow",
  }),
  shop({
    what: "a failed append counts as done",
    file: "layers/log-replay/src/commit/epoch-writer.ts",
    before: `        this.#end("an append failed", error);
        for (const { reject } of requests) reject(this.#over);
        break;`,
    after: "        void error;",
    promise: "the log's disk is full",
    name: "a full disk",
  }),
  shop({
    what: "an error of the file system is a bug",
    file: "layers/log-replay/src/stores/file/durable-files.ts",
    before: "    if (codeOf(error) === undefined) throw error;",
    after: "    if (codeOf(error) !== null) throw error;",
    promise: ["the log's folder is read-only", "the log's folder vanishes"],
    name: "a log folder that",
  }),
  {
    what: "the WATCH misses items: two hosts lose an update",
    file: "layers/redis-occ/src/watch-lane.ts",
    before: `["watch", this.identity.fence, ...keys]`,
    after: `["watch", this.identity.fence, ...keys.filter((key) => !key.startsWith("item:"))]`,
    promise: ["No lost update", "A transaction reads at one instant"],
    project: "shop",
    tests: "test/faults",
    name: "three hosts: 300 checkouts",
    byHistories: true,
  },
];
