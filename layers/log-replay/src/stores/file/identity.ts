import { randomUUID } from "node:crypto";
import { open, readdir, readFile, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { codeOf, orUnavailable, makeFolder, syncFolder, tryLink, writeDurably } from "./durable-files.ts";
import { StoreMismatchError } from "../../errors.ts";
import { encodeIdentity, IDENTITY, parseIdentity } from "../identity-text.ts";

/**
 * Makes `folder` a log store, durably, unless it is one already.
 * @param id the identity of a new one; given for a copy, which is to take the place of what it is a copy of
 * @throws StoreUnavailableError; StoreMismatchError where the folder holds something else
 *
 * @example
 * const { id } = await createFileStore("seats-log"); // once, where the program is set up: an empty folder is no new log by itself
 */
export async function createFileStore(folder: string, id: string = randomUUID()): Promise<{ id: string }> {
  return orUnavailable(`creating ${folder}`, async () => {
    await makeFolder(folder);
    // The folder is listed before the identity is looked for: what another creator's first user adds comes after its
    // identity.
    const others = (await readdir(folder)).filter((name) => !name.startsWith(`${IDENTITY}.`));
    const present = await readIdentity(folder);
    if (present !== null) return { id: present };
    if (others.length > 0) throw new StoreMismatchError(`${folder} is not empty and is no log store`);
    const draft = join(folder, `${IDENTITY}.${randomUUID()}`);
    await writeDurably(draft, encodeIdentity(id));
    // A link fails where the name exists: of two creators at once one wins, and both give its identity.
    const linked = await tryLink(draft, join(folder, IDENTITY)).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error;
      return true;
    });
    if (!linked) await renameAlone(draft, folder);
    await unlink(draft).catch((error: unknown) => {
      if (codeOf(error) !== "ENOENT") throw error;
    });
    await syncFolder(folder);
    return { id: (await readIdentity(folder)) ?? id };
  });
}

/** Milliseconds that a creator waits for another one; then that one has died. */
const PATIENCE = 5_000;

/** Where there are no hard links: whoever makes this file first renames, the others wait for it. */
async function renameAlone(draft: string, folder: string): Promise<void> {
  const mark = join(folder, `${IDENTITY}.being-made`);
  try {
    await (await open(mark, "wx")).close();
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
    for (const end = performance.now() + PATIENCE; performance.now() < end; await sleep(20))
      if ((await readIdentity(folder)) !== null) return;
    throw new StoreMismatchError(`${mark} was left by a creation that broke off: remove it`);
  }
  if ((await readIdentity(folder)) === null) await rename(draft, join(folder, IDENTITY));
  await unlink(mark);
}

/** The identity of the store in `folder`; null where there is none. @throws StoreMismatchError where it is not readable as one; FormatError */
export async function readIdentity(folder: string): Promise<string | null> {
  const path = join(folder, IDENTITY);
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  });
  return text === null ? null : parseIdentity(text, path);
}
