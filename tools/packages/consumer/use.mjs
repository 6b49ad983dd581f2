// What somebody does who has installed the tarballs: every entry, by import. `node use.mjs REDIS_URL FOLDER`.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { Redis } from "ioredis";
import { createFileStore, LoggedRedis, openFileStore, readHistory } from "log-replay";
import { storeCases } from "log-replay/conformance";
import { restoreState } from "log-replay/middleware";
import { processWide } from "log-replay/process-wide";
import { openS3Store } from "log-replay/s3";
import { verify } from "log-replay/tools";
import { ConflictError, Occ, OccError, retry } from "redis-occ";

const [url, folder] = process.argv.slice(2);
const require = createRequire(import.meta.url);

const occ = new Occ({ connect: (settings) => new Redis(url, settings) });
assert.equal(
  await retry(() =>
    occ.transact(["n"], (view) => ({ result: view.get("n"), set: { n: 1 }, commands: [["zadd", "z", 1, "a"]] })),
  ),
  null,
);
assert.deepEqual(await occ.transact([], (view) => ({ result: [...view.sortedSet("z")] })), [["a", 1]]);
assert.equal(await occ.once("id", ["n"], () => ({ result: "first" })), "first");
assert.equal(await occ.once("id", ["n"], () => ({ result: "second" })), "first");
const script = new Occ({ url, commit: "script" });
assert.deepEqual(await script.read(["n"]), [1]);
await script.transact(["n"], (view) => ({ result: 0, set: { n: view.get("n") + 1 } }));
await Promise.all([occ.close({ drain: true }), script.close()]);
const cleaner = new Redis(url, { maxRetriesPerRequest: 1 });
await cleaner.flushall();
cleaner.disconnect();

await createFileStore(folder);
const store = await openFileStore({ folder });
const state = new LoggedRedis({ url, store });
await state.occ.transact(["n"], () => ({ result: 0, set: { n: 7 } }), { meta: { op: "first" } });
await state.close({ drain: true });
const records = [];
for await (const record of readHistory(store)) records.push(record);
assert.deepEqual(
  records.map(({ op, set }) => [op, set]),
  [["first", { n: 7 }]],
);
for (const entry of [storeCases, restoreState, processWide, openS3Store, verify])
  assert.equal(typeof entry, "function");

// One instance in a process, however it is asked for.
const required = require("redis-occ");
assert.equal(required.Occ, Occ);
assert.ok(new required.ConflictError(1) instanceof OccError && new ConflictError(1) instanceof required.OccError);
for (const hidden of ["redis-occ/fail-points", "log-replay/fail-points", "redis-occ/src/client.ts"]) {
  assert.throws(() => require(hidden), { code: "ERR_PACKAGE_PATH_NOT_EXPORTED" });
}
for (const name of ["redis-occ", "log-replay"])
  assert.match(require(`${name}/package.json`).version, /^\d+\.\d+\.\d+$/);
console.log("used by import");
