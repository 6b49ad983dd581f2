import { randomUUID } from "node:crypto";
import { link, readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, guard, makeFolder, syncFolder, writeDurably } from "./durable-files.ts";
import { StoreMismatchError } from "../../errors.ts";

/** The file that makes a folder a log store. */
export const IDENTITY = "store.json";

/**
 * Makes `folder` a log store, durably, unless it is one already.
 * @throws StoreUnavailableError; StoreMismatchError where the folder holds something else
 */
export async function createFileStore(folder: string): Promise<{ id: string }> {
  return guard(`creating ${folder}`, async () => {
    await makeFolder(folder);
    // The folder is listed before the identity is looked for: what another creator's first user adds comes after its
    // identity.
    const others = (await readdir(folder)).filter((name) => !name.startsWith(`${IDENTITY}.`));
    const present = await readIdentity(folder);
    if (present !== null) return { id: present };
    if (others.length > 0) throw new StoreMismatchError(`${folder} is not empty and is no log store`);
    const id = randomUUID();
    const draft = join(folder, `${IDENTITY}.${id}`);
    await writeDurably(draft, `${JSON.stringify({ id, created: new Date().toISOString() })}\n`);
    // A link fails if the name exists, so one of two creators at once wins, and both return its identity.
    await link(draft, join(folder, IDENTITY)).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error;
    });
    await unlink(draft);
    await syncFolder(folder);
    return { id: (await readIdentity(folder)) ?? id };
  });
}

/**
 * The identity of the store in `folder`; null if there is none. @throws StoreMismatchError if it cannot be read as one
 */
export async function readIdentity(folder: string): Promise<string | null> {
  try {
    const { id } = JSON.parse(await readFile(join(folder, IDENTITY), "utf8")) as { id?: unknown };
    if (typeof id !== "string") throw new StoreMismatchError(`${join(folder, IDENTITY)} names no id`);
    return id;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    if (error instanceof SyntaxError) throw new StoreMismatchError(`${join(folder, IDENTITY)} is not JSON`);
    throw error;
  }
}
