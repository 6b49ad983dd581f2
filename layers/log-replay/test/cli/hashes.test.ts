/** What the command line shows of hashes. */
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { fields } from "redis-occ";
import { openFileStore } from "../../src/index.ts";
import { stage } from "../support/stage.ts";
import { cli, json } from "./support.ts";

const on = stage();

test("adopt takes hashes if it is told so; state, show, follow and diff tell them from strings", async () => {
  await on.outside.set("s", '{"a":1}');
  await on.outside.hset("h", "b", "2", "a", "1");
  const folder = join(await on.folder(), "log");
  expect(await cli(["adopt", join(await on.folder(), "log"), "--redis", on.redis.url])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("h holds a hash") as unknown,
  });
  expect(await cli(["adopt", folder, "--redis", on.redis.url, "--hashes"])).toMatchObject({ code: 0, stderr: "" });
  const state = on.open({ store: await openFileStore({ folder }), hashes: true });
  await state.occ.transact([], () => ({ result: null, set: { h: fields({ b: null, c: 3 }) } }), {
    meta: { op: "change" },
  });
  expect((await cli(["state", folder])).stdout).toBe('h  hash {"a":1,"c":3}\ns  {"a":1}\n');
  expect(json((await cli(["state", folder, "--json"])).lines)).toEqual([
    { key: "h", value: { a: 1, c: 3 }, hash: true },
    { key: "s", value: { a: 1 } },
  ]);
  const shown = (await cli(["show", folder])).lines;
  expect(shown[0]).toContain('s {"a":1}  h hash {"b":2,"a":1}');
  expect(shown[1]).toMatch(/change +h fields \{"b":null,"c":3\}$/);
  expect(json((await cli(["show", folder, "--key", "h", "--op", "change", "--json"])).lines)).toMatchObject([
    { n: 2, set: {}, fields: { h: { b: null, c: 3 } } },
  ]);
  expect((await cli(["show", folder, "--key", "s"])).lines).toHaveLength(1);
  expect((await cli(["verify", folder])).stdout).toContain("sound");
  expect(await cli(["diff", folder, "--redis", on.redis.url])).toMatchObject({ code: 0 });
  await on.outside.hset("h", "a", "9");
  const diff = await cli(["diff", folder, "--redis", on.redis.url]);
  expect(diff).toMatchObject({ code: 1 });
  expect(diff.stdout).toContain('log    hash {"a":1,"c":3}\n  Redis  hash {"a":9,"c":3}\n');
  expect((await cli(["restore", folder, "--at", "1", "--yes"])).code).toBe(0);
  expect((await cli(["state", folder, "--key", "h"])).stdout).toBe('h  hash {"a":1,"b":2}\n');
});
