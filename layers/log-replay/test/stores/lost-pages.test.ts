import fs from "node:fs";
import { mkdtemp, open, readFile, rm, writeFile, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { createFileStore, openFileStore } from "../../src/index.ts";
import { encodeFrame } from "../../src/format/frame.ts";
import { surveyHistory } from "../../src/recover/survey.ts";
import { begun, entry } from "../support/logs.ts";

type Prototype = Pick<FileHandle, "write" | "datasync">;

/**
 * A kernel that calls pages clean after a sync that failed: what was written before can be seen until the power goes,
 * and a later sync, which succeeds, does not write it.
 */
async function withFailingSync(path: () => string, work: (fail: () => void) => Promise<void>): Promise<Buffer> {
  const handle = await open(tmpdir(), "r");
  const prototype = Object.getPrototypeOf(handle) as Prototype;
  await handle.close();
  const { write, datasync } = prototype;
  const { writeSync } = fs;
  const disk: { readonly at: number; readonly bytes: Buffer }[] = [];
  const pages: typeof disk = [];
  let failing = false;
  let length = 0;
  const dirty = (buffer: Buffer, position: number | null): void => {
    const at = position ?? length;
    pages.push({ at, bytes: Buffer.from(buffer) });
    length = Math.max(length, at + buffer.length);
  };
  fs.writeSync = ((file: number, buffer: Buffer, offset: number) => {
    dirty(buffer.subarray(offset), null);
    return writeSync(file, buffer, offset);
  }) as typeof writeSync;
  prototype.write = async function (
    this: FileHandle,
    buffer: Buffer,
    offset: number = 0,
    count: number = buffer.length - offset,
    position: number | null = null,
  ) {
    dirty(buffer.subarray(offset, offset + count), position);
    return Reflect.apply(write, this, [buffer, offset, count, position]) as ReturnType<Prototype["write"]>;
  } as Prototype["write"];
  prototype.datasync = async function (this: FileHandle) {
    await datasync.call(this);
    const written = pages.splice(0);
    if (failing) {
      failing = false;
      throw Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
    }
    disk.push(...written);
  };
  try {
    await work(() => (failing = true));
  } finally {
    Object.assign(prototype, { write, datasync });
    fs.writeSync = writeSync;
  }
  const image = Buffer.alloc((await readFile(path())).length);
  for (const { at, bytes } of disk) bytes.copy(image, at);
  return image;
}

test("a commit whose sync failed, and that a recovery goes on from, is on the disk when the power goes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lost-pages-"));
  try {
    await createFileStore(folder);
    const store = await openFileStore({ folder });
    await begun(store, 1);
    const writer = store.createSegment(1);
    const segment = async (): Promise<string> => join(folder, ((await store.segments(1))[0] as { name: string }).name);
    let path = "";
    const durable = await withFailingSync(
      () => path,
      async (fail) => {
        await writer.append(encodeFrame([entry(1, 1, { n: 1 })]));
        path = await segment();
        fail();
        await expect(writer.append(encodeFrame([entry(1, 2, { n: 2 })]))).rejects.toThrow("EIO");
        await store.claim(2);
        const { cut } = await surveyHistory(store, () => Promise.resolve());
        expect(cut).toBe(2);
        await store.writeBegin(2, { parent: 1, cut });
      },
    );
    await writer.close();
    await writeFile(path, durable);
    await store.claim(3);
    // Without its second writing the commit would be missing below the cut. Epoch 2, in which nothing was committed, is passed over.
    expect(await surveyHistory(store, () => Promise.resolve())).toMatchObject({ parent: 1, cut: 2 });
  } finally {
    await rm(folder, { recursive: true });
  }
});
