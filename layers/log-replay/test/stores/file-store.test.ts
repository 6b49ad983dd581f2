import { spawnSync } from "node:child_process";
import fs from "node:fs";
import {
  mkdir,
  mkdtemp,
  open,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  unlink,
  writeFile,
  type FileHandle,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import {
  compact,
  createFileStore,
  LogDamageError,
  openFileStore,
  readHistory,
  stateAt,
  StoreMismatchError,
  StoreUnavailableError,
} from "../../src/index.ts";
import { orUnavailable } from "../../src/stores/file/durable-files.ts";
import { isGone, ownIdentity } from "../../src/stores/writer-identity.ts";
import { storeCases } from "../../src/conformance/index.ts";
import { append, begun, entry, textOf } from "../support/logs.ts";
import { run } from "../support/processes.ts";

const root = await mkdtemp(join(tmpdir(), "file-store-"));
afterAll(() => rm(root, { recursive: true, force: true }));
const newFolder = (): Promise<string> => mkdtemp(join(root, "f-"));

const cases = storeCases(async () => {
  const folder = await newFolder();
  await createFileStore(folder);
  return {
    open: () => openFileStore({ folder }),
    breakDown: () => rename(folder, `${folder}.away`),
    loseClaim: (epoch) => unlink(join(folder, `claim-${String(epoch).padStart(8, "0")}`)),
    async appendFromElsewhere(epoch, frame) {
      const before = await readdir(folder);
      const { signal } = await run("append-and-die.ts", [folder, String(epoch), frame.toString("base64")]);
      expect(signal).toBe("SIGKILL");
      return (await readdir(folder)).find((name) => !before.includes(name)) ?? "none";
    },
    putStray: (name) => writeFile(join(folder, name), "whatever"),
  };
});
describe("a file store", () => {
  for (const [name, holds] of Object.entries(cases)) test(name, holds);
});

test("what a crash leaves of a file, or a copy hides, is no stray; what lies in the archive under another name is one", async () => {
  const folder = await newFolder();
  await createFileStore(folder);
  const id = "0b9f1d3c-6a52-4f0e-9a75-1f0c2b3d4e5f";
  const segment = "segment-00000001-a-1-2-3-1.jsonl";
  const left = [
    `store.json.${id}`,
    "store.json.being-made",
    `begin-00000001.json.${id}`,
    `snapshot-00000001-0000000000000001.jsonl.draft-${id}`,
    ".segment-00000001-a-1-2-3-1.jsonl.Xa81bc",
  ];
  await mkdir(join(folder, "archive"));
  for (const name of [...left, `archive/${segment}.moving-${id}`, `archive/${segment}.bak`])
    await writeFile(join(folder, name), "");
  expect(await (await openFileStore({ folder })).strays?.()).toEqual([`archive/${segment}.bak`]);
});

test("what a file system refuses is told in the same words each time: without the random part of a draft's or a copy's name", async () => {
  const id = "0b9f1d3c-6a52-4f0e-9a75-1f0c2b3d4e5f";
  const failed = (what: string): Promise<unknown> =>
    orUnavailable("working", () => {
      throw Object.assign(new Error(`ENOSPC: no space left on device, ${what}`), { code: "ENOSPC" });
    }).catch((error: unknown) => (error as Error).message);
  const segment = `/logs-${id}/segment-00000001-7edb0aa9-1-2-69816ee5-1.jsonl`;
  for (const [what, said] of [
    [`copyfile '${segment}' -> '${segment}.torn-69816ee5'`, `copyfile '${segment}' -> '${segment}.torn'`],
    [`rename '${segment}' -> '${segment}.damaged-69816ee5'`, `rename '${segment}' -> '${segment}.damaged'`],
    [`open '/logs/begin-00000002.json.${id}'`, "open '/logs/begin-00000002.json'"],
    [`open '/logs/snapshot-1-2.jsonl.draft-${id}'`, "open '/logs/snapshot-1-2.jsonl.draft'"],
    [`scandir '/logs-${id}'`, `scandir '/logs-${id}'`],
    ["write", "write"],
  ] as const)
    expect(await failed(what)).toBe(`working: ENOSPC: no space left on device, ${said}`);
});

test("creating a store again gives the store that is there", async () => {
  const folder = join(await newFolder(), "new", "and", "deeper");
  const { id } = await createFileStore(folder);
  expect(await createFileStore(folder)).toEqual({ id });
  expect((await openFileStore({ folder })).id).toBe(id);
});

test("20 creators at once agree on one identity and leave no drafts, also where its first user is already at work", async () => {
  for (let round = 0; round < 10; round++) {
    const folder = join(await newFolder(), "store");
    const ids = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const { id } = await createFileStore(folder);
        await (await openFileStore({ folder })).claim(1);
        return id;
      }),
    );
    expect(new Set(ids).size).toBe(1);
    expect((await readdir(folder)).sort()).toEqual(["claim-00000001", "store.json"]);
  }
});

test("a folder that holds something else is not made a store", async () => {
  const folder = await newFolder();
  await writeFile(join(folder, "letter.txt"), "");
  await expect(createFileStore(folder)).rejects.toThrow(StoreMismatchError);
  expect(await readdir(folder)).toEqual(["letter.txt"]);
});

test("what a creator left that died half way does not stop the next one", async () => {
  const folder = await newFolder();
  await writeFile(join(folder, "store.json.0b6f"), "{");
  await createFileStore(folder);
  await expect(openFileStore({ folder })).resolves.toMatchObject({ id: expect.any(String) });
});

test("an empty folder, one that is not there, and one with another identity are not opened", async () => {
  await expect(openFileStore({ folder: await newFolder() })).rejects.toThrow(StoreMismatchError);
  await expect(openFileStore({ folder: join(root, "nowhere") })).rejects.toThrow(StoreMismatchError);
  const folder = await newFolder();
  const { id } = await createFileStore(folder);
  await expect(openFileStore({ folder, expectedId: "another" })).rejects.toThrow(StoreMismatchError);
  await expect(openFileStore({ folder, expectedId: id })).resolves.toMatchObject({ id });
});

test.each(["{", "{}", '{"id":7}', ""])(
  "an identity that is not one (%j) is not taken for one, and not replaced",
  async (text) => {
    const folder = await newFolder();
    await writeFile(join(folder, "store.json"), text);
    await expect(openFileStore({ folder })).rejects.toThrow(StoreMismatchError);
    await expect(createFileStore(folder)).rejects.toThrow(StoreMismatchError);
    expect(await readFile(join(folder, "store.json"), "utf8")).toBe(text);
  },
);

test.each(["", "{", '{"parent":1}', '{"parent":"1","cut":2}'])(
  "a beginning that cannot be read (%j) is damage that names the file",
  async (text) => {
    const folder = await newFolder();
    await createFileStore(folder);
    await writeFile(join(folder, "begin-00000001.json"), text);
    const error = await (await openFileStore({ folder })).begins().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LogDamageError);
    expect((error as Error).message).toContain("begin-00000001.json:1");
  },
);

test("what a writer left that died before its beginning was whole is passed over", async () => {
  const folder = await newFolder();
  await createFileStore(folder);
  await writeFile(join(folder, "begin-00000001.json.5f3a"), '{"par');
  expect((await (await openFileStore({ folder })).begins()).size).toBe(0);
});

test("a file in the way of the folder is an unavailable store", async () => {
  const path = join(await newFolder(), "file");
  await writeFile(path, "");
  await expect(createFileStore(path)).rejects.toThrow(StoreUnavailableError);
});

test("a folder that the file system does not make is an unavailable store, and no endless search for what is above it", async () => {
  // Node's own way to make folders with what is above them does not come back from there: in this process no timer would end it.
  const create = `import { createFileStore } from "log-replay/create-file-store";
    await createFileStore("/proc/no/such").catch(({ code, message }) => console.log(code, message));`;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "--eval", create], {
    encoding: "utf8",
    timeout: 20_000,
    killSignal: "SIGKILL",
    cwd: import.meta.dirname,
  });
  expect(stdout).toMatch(/^log_unavailable .*ENOENT.*'\/proc\/no'/);
}, 30_000);

test("a segment whose name is taken is not appended to", async () => {
  const folder = await newFolder();
  await createFileStore(folder);
  const store = await openFileStore({ folder });
  const segment = store.createSegment(1);
  await segment.append(Buffer.from("x"));
  const [only] = await store.segments(1);
  const path = join(folder, only?.name ?? "");
  await segment.close();
  await expect(segment.append(Buffer.from("y"))).rejects.toThrow(StoreUnavailableError);
  expect(await readFile(path, "utf8")).toBe("x");
});

/** Counts the syncs that this process asks for, whatever file they are for; the calls go through. */
async function counted(work: () => Promise<void>): Promise<{ datasync: number; sync: number }> {
  const handle = await open(root, "r");
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const { datasync, sync } = prototype;
  const calls = { datasync: 0, sync: 0 };
  prototype.datasync = function () {
    calls.datasync++;
    return datasync.call(this);
  };
  prototype.sync = function () {
    calls.sync++;
    return sync.call(this);
  };
  try {
    await work();
  } finally {
    Object.assign(prototype, { datasync, sync });
  }
  return calls;
}

test('durability "always" asks for one fdatasync a frame and one sync of the folder a segment; "os" for no fdatasync', async () => {
  const folder = await newFolder();
  await createFileStore(folder);
  for (const [durability, datasync] of [
    ["always", 3],
    ["os", 0],
  ] as const) {
    const segment = (await openFileStore({ folder, durability })).createSegment(1);
    expect(
      await counted(async () => {
        for (let i = 0; i < 3; i++) await segment.append(Buffer.from("frame"));
      }),
    ).toEqual({ datasync, sync: 1 });
    await segment.close();
  }
});

test("a beginning and a new store are synced with the folder that they are in; a claim is its name alone", async () => {
  const folder = join(await newFolder(), "deep", "er");
  // Three folders that got a new name in them, the identity and its folder.
  expect(await counted(async () => void (await createFileStore(folder)))).toEqual({ datasync: 0, sync: 4 });
  const store = await openFileStore({ folder });
  expect(await counted(async () => void (await store.claim(1)))).toEqual({ datasync: 0, sync: 1 });
  expect(await counted(() => store.writeBegin(1, { parent: 0, cut: 0 }))).toEqual({ datasync: 0, sync: 2 });
});

test("a beginning is not to be seen before it is whole and synced", async () => {
  const folder = await newFolder();
  await createFileStore(folder);
  const store = await openFileStore({ folder });
  const handle = await open(root, "r");
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const { sync } = prototype;
  const seen: number[] = [];
  prototype.sync = async function () {
    if ((await this.stat()).isFile()) seen.push((await store.begins()).size);
    return sync.call(this);
  };
  try {
    await store.writeBegin(1, { parent: 0, cut: 0 });
  } finally {
    prototype.sync = sync;
  }
  expect(seen).toEqual([0]);
  expect((await store.begins()).size).toBe(1);
});

test("what recovery stands on is synced: each segment and the folder", async () => {
  const folder = await newFolder();
  await createFileStore(folder);
  const store = await openFileStore({ folder, durability: "os" });
  for (let i = 0; i < 2; i++) {
    const segment = store.createSegment(1);
    await segment.append(Buffer.from("frame"));
    await segment.close();
  }
  const frames = (await store.segments(1)).map((segment) => ({ segment, offset: 0, bytes: Buffer.from("frame") }));
  expect(await counted(() => store.sync(frames))).toEqual({ datasync: 2, sync: 1 });
});

test("a frame that the disk takes in small pieces is appended whole", async () => {
  const folder = await newFolder();
  await createFileStore(folder);
  const { writeSync } = fs;
  fs.writeSync = ((file: number, buffer: Buffer, offset: number) =>
    writeSync(file, buffer, offset, Math.min(3, buffer.length - offset))) as typeof writeSync;
  const store = await openFileStore({ folder });
  try {
    const segment = store.createSegment(1);
    await segment.append(Buffer.from("a frame of several pieces"));
    await segment.append(Buffer.from(", and another"));
    expect(segment.size).toBe(38);
    await segment.close();
  } finally {
    fs.writeSync = writeSync;
  }
  const [only] = await store.segments(1);
  expect(await readFile(join(folder, only?.name ?? ""), "utf8")).toBe("a frame of several pieces, and another");
});

test("a full disk fails the append, and what it left is torn (file size limit in a process of its own)", async () => {
  const folder = await newFolder();
  await createFileStore(folder);
  const { code, output } = await run("append-until-full.ts", [folder], { shell: "ulimit -f 8; trap '' XFSZ" });
  expect([code, output]).toEqual([0, "StoreUnavailableError\n"]);
  const [only] = await (await openFileStore({ folder })).segments(1);
  const size = (await readFile(join(folder, only?.name ?? ""))).length;
  expect(size).toBeGreaterThan(0);
  expect(size % 3_000).not.toBe(0);
});

test("a writer is gone only where that is certain: same machine, boot and process table, and its process ended", async () => {
  const own = ownIdentity();
  expect(isGone(own)).toBe(false);
  expect(isGone({ ...own, where: "00000000" })).toBe(false);
  expect(isGone({ ...own, start: "0" })).toBe(false);
  expect(isGone({ ...own, pid: 4_194_305 })).toBe(true);
  // The same number was given to another process since.
  expect(isGone({ ...own, start: "1" })).toBe(true);
});

test("a file that is no segment is not listed as one", async () => {
  const folder = await newFolder();
  await createFileStore(folder);
  await mkdir(join(folder, "segment-00000001-directory"));
  for (const name of [
    "segment-00000001-x.jsonl.torn-1",
    "segment-1-x.jsonl",
    "segment-00000001.jsonl",
    "claim-1",
    "claim-00000001x",
  ]) {
    await writeFile(join(folder, name), "");
    await truncate(join(folder, name), 0);
  }
  const store = await openFileStore({ folder });
  expect(await store.segments(1)).toEqual([]);
  expect(await store.claims()).toEqual([]);
});

test("on a file system without hard links a store is made, once, and compacted", async () => {
  const { code, output } = await run("without-links.ts", [join(await newFolder(), "store")]);
  expect([code, output]).toEqual([
    0,
    `${JSON.stringify({ identities: 1, snapshots: [2], state: { a: "1", b: "2" }, files: [] })}\n`,
  ]);
});

test("an archive on another device: segments are moved there whole, and everything reads as before", async () => {
  const folder = await newFolder();
  await createFileStore(folder);
  const elsewhere = await mkdtemp("/dev/shm/archive-");
  try {
    expect((await stat(elsewhere)).dev).not.toBe((await stat(folder)).dev);
    await symlink(elsewhere, join(folder, "archive"));
    const store = await openFileStore({ folder });
    await begun(store, 1);
    for (let n = 1; n <= 6; n += 2) await append(store, 1, [entry(1, n, { n })], [entry(1, n + 1, { n: n + 1 })]);
    await begun(store, 2, { parent: 1, cut: 6 });
    await append(store, 2, [entry(2, 7, { m: 7 })]);
    const others = await Promise.all([1, 2, 3].map(() => openFileStore({ folder })));
    await Promise.all(others.map((other) => compact(other)));
    expect(await store.archived(1)).toHaveLength(3);
    expect(await store.segments(1)).toEqual([]);
    expect((await readdir(elsewhere)).filter((name) => !name.endsWith(".jsonl"))).toEqual([]);
    expect(textOf(await stateAt(store))).toEqual({ n: "6", m: "7" });
    const numbers: number[] = [];
    for await (const { n } of readHistory(store)) numbers.push(n);
    expect(numbers).toEqual([1, 2, 3, 4, 5, 6, 7]);
  } finally {
    await rm(elsewhere, { recursive: true });
  }
});

test("after a roll the next segment's name is synced with its folder, too, before its first frame is durable", async () => {
  const folder = await newFolder();
  await createFileStore(folder);
  const segment = (await openFileStore({ folder })).createSegment(1);
  await segment.append(Buffer.from("first"));
  await segment.roll();
  expect(await counted(() => segment.append(Buffer.from("second")))).toEqual({ datasync: 1, sync: 1 });
  expect(await counted(() => segment.append(Buffer.from("third")))).toEqual({ datasync: 1, sync: 0 });
  await segment.close();
});

test("a snapshot is durable, and its name, before its installation resolves: segments are archived after that", async () => {
  const folder = await newFolder();
  await createFileStore(folder);
  const store = await openFileStore({ folder });
  async function* content(): AsyncGenerator<Buffer> {
    yield Buffer.from("snapshot");
  }
  const install = async (): Promise<void> => void (await store.installSnapshot({ epoch: 1, n: 1 }, content()));
  expect(await counted(install)).toEqual({ datasync: 0, sync: 2 });
});
