/** The commands on a log in S3, over the wire, as on a folder. */
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { buildApp } from "fauxqs";
import { createS3Store, openS3Store } from "../../src/stores/s3/index.ts";
import { add, stage } from "../support/stage.ts";
import { credentials, newBucket, outside, REGION, type S3Server } from "../support/s3-server.ts";
import { cli, json, type Told } from "./support.ts";

const on = stage();
const app = buildApp({ logger: false });
let s3: S3Server;
let environment: Record<string, string>;

beforeAll(async () => {
  await app.listen({ port: 0, host: "127.0.0.1" });
  process.env["S3_ENDPOINT"] = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  s3 = await newBucket();
  environment = {
    AWS_REGION: REGION,
    AWS_ENDPOINT_URL_S3: s3.endpoint,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
  };
});
afterAll(async () => {
  delete process.env["S3_ENDPOINT"];
  await app.close();
});

const run = (...args: string[]): Promise<Told> => cli(args, environment);

/** A log under a prefix of its own, with three commits. */
async function made(prefix: string) {
  const place = { endpoint: s3.endpoint, bucket: s3.bucket, region: REGION, credentials, prefix: `${prefix}/` };
  await createS3Store(place);
  const store = await openS3Store(place);
  const state = on.open({ store });
  for (let i = 0; i < 3; i++) await state.occ.transact(["n"], add("n"), { meta: { op: "count" } });
  return { store, state, where: `s3://${s3.bucket}/${prefix}` };
}

test("show, verify, state, diff, compact, restore and backup read and write it as they do a folder", async () => {
  const { store, state, where } = await made("all");
  const shown = await run("show", where, "--json");
  expect(shown).toMatchObject({ code: 0, stderr: "" });
  expect(json(shown.lines).map((line) => [line["where"], line["n"]])).toEqual([1, 2, 3].map((n) => [where, n]));
  expect(await run("verify", where)).toMatchObject({ code: 0, stdout: `${where}  sound: 3 commits in 1 epoch\n` });
  expect(await run("verify", `${where}/`)).toMatchObject({ code: 0 });
  expect((await run("state", where, "--at", "2")).stdout).toBe("n  2\n");
  expect(await run("diff", where, "--redis", on.redis.url)).toMatchObject({ code: 0 });
  expect(await run("compact", where)).toMatchObject({ code: 0 });
  expect(await store.snapshot()).not.toBeNull();
  expect(await run("restore", where, "--at", "1", "--yes")).toMatchObject({ code: 0, stderr: "" });
  await state.occ.transact([], () => ({ result: null, set: { m: 1 } }));
  expect(await state.occ.read(["n"])).toEqual([1]);
  const folder = join(await on.folder(), "copy");
  const copied = await run("backup", where, folder);
  expect(copied).toMatchObject({ code: 0, stderr: "" });
  expect(copied.stdout).toMatch(/copied: 5 commits, the last one \d:5\n/);
  expect((await cli(["state", folder])).stdout).toBe("m  1\nn  1\n");
}, 60_000);

test("damage in it is found with its object, and repaired", async () => {
  const { store, where } = await made("damaged");
  const bucket = outside(s3);
  const objects = await bucket.list("damaged/segment-");
  const { key } = objects.at(-1)!;
  const bytes = Buffer.from((await bucket.get(key))!);
  bytes[bytes.indexOf('"set"') + 8]! ^= 1;
  await bucket.delete([key]);
  expect(await bucket.create(key, bytes)).toBe(true);
  const found = await run("verify", where);
  expect(found.code).toBe(1);
  expect(found.stdout).toMatch(/ damage {2}segment-\S+:3: a bad checksum/);
  expect(await run("repair", where)).toMatchObject({ code: 2 });
  expect(await run("repair", where, "--yes")).toMatchObject({ code: 0, stderr: "" });
  expect(await run("verify", where)).toMatchObject({ code: 0 });
  expect((await run("state", where)).stdout).toBe("n  2\n");
  expect((await store.begins()).size).toBe(2);
}, 60_000);

test("adopt makes the log; what S3 refuses is said in a line", async () => {
  await on.outside.set("a", "1");
  const where = `s3://${s3.bucket}/new/log`;
  expect(await run("adopt", where, "--redis", on.redis.url)).toMatchObject({ code: 0, stderr: "" });
  expect((await run("state", where)).stdout).toBe("a  1\n");
  expect(await run("verify", `s3://${s3.bucket}/empty`)).toMatchObject({
    code: 2,
    stderr: `error: bucket ${s3.bucket} holds no log store: it has no empty/store.json\n`,
  });
  for (const [place, more] of [
    ["s3://no-such-bucket/log", {}],
    [where, { AWS_SECRET_ACCESS_KEY: "" }],
    [where, { AWS_ENDPOINT_URL_S3: "http://127.0.0.1:1" }],
  ] as const)
    expect(await cli(["verify", place], { ...environment, ...more })).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(/^error: [^\n]+\n$/) as unknown,
    });
}, 60_000);
