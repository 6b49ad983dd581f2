/** What the command line shows of keys that end. */
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { openFileStore } from "../../src/index.ts";
import { stage } from "../support/stage.ts";
import { cli, json } from "./support.ts";

const on = stage();
const END = 4_102_444_800_000;

test("adopt keeps times to live if it is told so; state, show and diff tell when a key ends", async () => {
  await on.outside.set("a", "1");
  await on.outside.set("s", "2", "PXAT", END);
  const [refused, folder] = [join(await on.folder(), "log"), join(await on.folder(), "log")];
  expect(await cli(["adopt", refused, "--redis", on.redis.url])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("key s has a time to live") as unknown,
  });
  expect(await cli(["adopt", folder, "--redis", on.redis.url, "--expiry"])).toMatchObject({ code: 0, stderr: "" });
  expect((await cli(["state", folder])).stdout).toBe("a  1\ns  2  until 2100-01-01T00:00:00.000Z\n");
  expect(json((await cli(["state", folder, "--json"])).lines)).toEqual([
    { key: "a", value: 1 },
    { key: "s", value: 2, end: END },
  ]);
  const at = (time: number) => cli(["state", folder, "--at", new Date(time).toISOString()]);
  expect((await at(END)).stdout).toBe("a  1\n");
  expect((await at(END - 1)).lines).toHaveLength(2);
  expect(json((await cli(["show", folder, "--json"])).lines)).toMatchObject([{ set: { s: 2 }, ends: { s: END } }]);
  await on.open({ store: await openFileStore({ folder }), expiry: true }).ready();
  expect(await cli(["diff", folder, "--redis", on.redis.url])).toMatchObject({ code: 0 });
  await on.outside.persist("s");
  const diff = await cli(["diff", folder, "--redis", on.redis.url]);
  expect(diff).toMatchObject({ code: 1 });
  expect(diff.stdout).toContain("log    2  until 2100-01-01T00:00:00.000Z\n  Redis  2  for ever\n");
  const told = json((await cli(["diff", folder, "--redis", on.redis.url, "--json"])).lines);
  expect(told).toMatchObject([{ key: "s", log: "2", redis: "2", ends: { log: END, redis: null } }]);
});
