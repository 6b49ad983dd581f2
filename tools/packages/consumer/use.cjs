// The same by require. `node use.cjs REDIS_URL`.
const assert = require("node:assert/strict");
const { Occ } = require("redis-occ");
for (const entry of [
  "",
  "/cli",
  "/conformance",
  "/create-file-store",
  "/middleware",
  "/process-wide",
  "/s3",
  "/tools",
]) {
  assert.notEqual(Object.keys(require(`log-replay${entry}`)).length, 0);
}
const occ = new Occ({ url: process.argv[2] });
// An idle client keeps nobody: the process ends by itself.
occ.transact(["cjs"], () => ({ result: "used by require", set: { cjs: true } })).then(console.log);
