/** Does to the store in folder ARGV[1] what ARGV[2] says, and prints "done" once it has been promised. */
import { open, readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { createFileStore, openFileStore, type Durability } from "../../../src/index.ts";

const [folder, what] = process.argv.slice(2) as [string, keyof typeof acts];
const store = (durability: Durability = "always") => openFileStore({ folder, durability });
const frame = (text: string): Buffer => Buffer.from(`${text}\n`);

const acts = {
  create: () => createFileStore(folder),
  "append one frame": async () => (await store()).createSegment(1).append(frame("one")),
  "append two frames": async () => {
    const segment = (await store()).createSegment(1);
    await segment.append(frame("one"));
    await segment.append(frame("two"));
  },
  "append to two segments": async () => {
    const segment = (await store()).createSegment(1);
    await segment.append(frame("one"));
    await segment.roll();
    await segment.append(frame("two"));
  },
  "append without syncing the data": async () => (await store("os")).createSegment(1).append(frame("one")),
  "append without syncing the name": async () => {
    const file = await open(join(folder, "segment-00000001-a-1-1-a-1.jsonl"), "ax");
    await file.write(frame("one"));
    await file.datasync();
  },
  claim: async () => (await store()).claim(1),
  begin: async () => (await store()).writeBegin(1, { parent: 0, cut: 0 }),
  "begin without syncing the name": async () => {
    await rename(join(folder, "begin-00000001.json"), join(folder, "begin-00000002.json"));
  },
  "sync all": async () => {
    const opened = await store();
    const segments = await opened.segments(1);
    await opened.sync(
      await Promise.all(
        segments.map(async (segment) => ({ segment, offset: 0, bytes: await readFile(join(folder, segment.name)) })),
      ),
    );
  },
  "sync nothing but the names": async () => (await store()).sync([]),
  "install a snapshot": async () => {
    const content = async function* (): AsyncGenerator<Buffer> {
      yield frame("folded");
    };
    await (await store()).installSnapshot({ epoch: 1, n: 2 }, content());
  },
  archive: async () => {
    const opened = await store();
    await opened.archive(await opened.segments(1));
  },
  truncate: async () => {
    const opened = await store();
    for (const segment of await opened.segments(1))
      if ((await opened.truncate(segment, 4)) === null)
        throw new Error(`not truncated: ${(await readdir(folder)).join()}`);
  },
};

await acts[what]();
console.log("done");
