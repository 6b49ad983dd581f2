import { randomUUID } from "node:crypto";
import { link, readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, guard, makeFolder, syncFolder, writeDurably } from "./durable-files.ts";
import { StoreMismatchError } from "../../errors.ts";
import { encodeIdentity, IDENTITY, parseIdentity } from "../identity-text.ts";

/**
 * Makes `folder` a log store, durably, unless it is one already.
 * @param id the identity of a new one; given for a copy, which is to take the place of what it is a copy of
 * @throws StoreUnavailableError; StoreMismatchError where the folder holds something else
 */
export async function createFileStore(folder: string, id: string = randomUUID()): Promise<{ id: string }> {
  return guard(`creating ${folder}`, async () => {
    await makeFolder(folder);
    // Listed before the identity is looked for: what another creator's first user adds comes after its identity.
    const others = (await readdir(folder)).filter((name) => !name.startsWith(`${IDENTITY}.`));
    const present = await readIdentity(folder);
    if (present !== null) return { id: present };
    if (others.length > 0) throw new StoreMismatchError(`${folder} is not empty and is no log store`);
    const draft = join(folder, `${IDENTITY}.${randomUUID()}`);
    await writeDurably(draft, encodeIdentity(id));
    // A link fails where the name exists: of two creators at once one wins, and both give its identity.
    await link(draft, join(folder, IDENTITY)).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error;
    });
    await unlink(draft);
    await syncFolder(folder);
    return { id: (await readIdentity(folder)) ?? id };
  });
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
