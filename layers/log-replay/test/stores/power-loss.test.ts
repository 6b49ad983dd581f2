/** What the file store promises holds on a disk that forgets everything which was not synced. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createFileStore, openFileStore } from "../../src/index.ts";
import { losePower, nothingUnsynced, type Survives } from "../support/power-loss/lose-power.ts";

const SUPPORT = join(import.meta.dirname, "..", "support", "power-loss");
const NODE = join(import.meta.dirname, "..", "..", "..", "..", "node_modules", ".bin", "node");
const run = promisify(execFile);

let home: string;
let folder: string;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "power-loss-"));
  mkdirSync(join(home, "disk"));
  writeFileSync(join(home, "journal"), "");
  folder = join(home, "disk", "log");
  await createFileStore(folder);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** In a process of its own, as everything that writes to a log. */
async function done(act: string, where = folder): Promise<void> {
  const { NODE_OPTIONS: _, ...inherited } = process.env;
  const env = { ...inherited, POWER_LOSS_ROOT: join(home, "disk"), POWER_LOSS_JOURNAL: join(home, "journal") };
  const { stdout } = await run(NODE, ["--import", join(SUPPORT, "preload.ts"), join(SUPPORT, "act.ts"), where, act], {
    env,
  });
  expect(stdout).toBe("done\n");
}

const lose = (survives: Survives = nothingUnsynced): string[] =>
  losePower(join(home, "disk"), join(home, "journal"), survives);

/** The text of every segment of epoch 1. */
async function appended(): Promise<string[]> {
  const store = await openFileStore({ folder });
  return (await store.segments(1)).map(({ name }) => readFileSync(join(folder, name), "utf8"));
}

test("a store that was created is there, with the folders above it and its identity", async () => {
  const where = join(home, "disk", "new", "and", "deep");
  await done("create", where);
  const { id } = await openFileStore({ folder: where });
  expect(lose()).toEqual([]);
  expect((await openFileStore({ folder: where })).id).toBe(id);
});

test("a segment's first frame is there", async () => {
  await done("append one frame");
  lose();
  expect(await appended()).toEqual(["one\n"]);
});

test("so is every further one", async () => {
  await done("append two frames");
  lose();
  expect(await appended()).toEqual(["one\ntwo\n"]);
});

test("so is the first one of a further segment", async () => {
  await done("append to two segments");
  lose();
  expect(await appended()).toEqual(["one\n", "two\n"]);
});

test("a claim is there", async () => {
  await done("claim");
  lose();
  expect(await (await openFileStore({ folder })).claims()).toEqual([1]);
});

test("a beginning is there", async () => {
  await done("begin");
  lose();
  expect(await (await openFileStore({ folder })).begins()).toEqual(new Map([[1, { parent: 0, cut: 0 }]]));
});

test.each([["append without syncing the data"], ["append without syncing the name"]])(
  "%s: it is lost, as on a disk; once a reader has synced it, it is not",
  async (act) => {
    await done(act);
    lose();
    expect((await appended()).join("")).toBe("");

    for (const name of readdirSync(folder)) if (name.startsWith("segment-")) rmSync(join(folder, name));
    await done(act);
    await done("sync all");
    lose();
    expect(await appended()).toEqual(["one\n"]);
  },
);

test("a beginning whose name is not durable yet is, once a reader has synced the names", async () => {
  await done("begin");
  await done("begin without syncing the name");
  await done("sync nothing but the names");
  lose();
  expect([...(await (await openFileStore({ folder })).begins()).keys()]).toEqual([2]);
});

test("a snapshot that was installed is there, whole", async () => {
  await done("install a snapshot");
  lose();
  const store = await openFileStore({ folder });
  const snapshot = await store.snapshot();
  expect(snapshot).toMatchObject({ epoch: 1, n: 2 });
  const content: string[] = [];
  for await (const bytes of store.readSnapshot(snapshot!, 1_024)) content.push(bytes.toString());
  expect(content.join("")).toBe("folded\n");
});

test("a segment that was archived is in the archive", async () => {
  await done("append one frame");
  await done("archive");
  expect(lose()).toEqual([]);
  expect(await appended()).toEqual([]);
  expect(readdirSync(join(folder, "archive"))).toHaveLength(1);
});

test("what was truncated is in a copy, also where the truncation is durable before anything else", async () => {
  await done("append two frames");
  await done("truncate");
  expect(lose((what) => what === "truncate")).toEqual([]);
  expect(await appended()).toEqual(["one\n"]);
  const copy = readdirSync(folder).find((name) => name.includes(".torn-")) ?? "";
  expect(readFileSync(join(folder, copy), "utf8")).toBe("one\ntwo\n");
});

test("a truncation that is lost is no harm: what was truncated is back, to be truncated again", async () => {
  await done("append two frames");
  await done("truncate");
  lose();
  expect(await appended()).toEqual(["one\ntwo\n"]);
});
