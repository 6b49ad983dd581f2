import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { rename, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { StoreUnavailableError } from "../../errors.ts";
import { makeFolder, syncFolder } from "../../stores/file/durable-files.ts";
import { createFileStore } from "../../stores/file/identity.ts";
import { openFileStore } from "../../stores/file/store.ts";
import type { LogStore } from "../../stores/store.ts";
import { copyLog } from "../../tools/copy.ts";
import { ToolError } from "../exit.ts";
import { one, openOne, type Log, type Logs } from "../logs.ts";
import { count, print } from "../output.ts";
import { command, type Command } from "../program.ts";
import { verifyAloud } from "./verify.ts";

export function backup(logs: Logs): Command {
  const { log } = logs.example;
  return command({
    name: "backup",
    arguments: `${one(logs)} <folder>`,
    what: "a copy in a new folder, which is a log like its source; taken beside its writers, and verified",
    examples: [`backup ${log} ../${log}-2026-01-31`],
    options: {},
    async run([name = "", folder = ""]) {
      const began = new Date();
      await backUp(await openOne(logs, name), resolve(folder), name);
      await print(`Every commit that was answered before ${began.toISOString()} is in ${folder}.`);
    },
  });
}

/**
 * Copies a log into a folder, and verifies the copy; where that is damaged, as its source is, the exit code is 1. The folder is
 * there under its name only once it is whole, and one that is there already is never touched.
 * @param heading what each line that is printed begins with
 * @throws ToolError where the folder is there; LogError
 *
 * @example
 * for (const log of await logs.open([])) await backUp(log, join("backup", log.name), log.name);
 */
export async function backUp(log: Log, folder: string, heading: string): Promise<void> {
  if (existsSync(folder)) throw new ToolError(`${folder} is there already: name one that is not`);
  const parent = dirname(folder);
  const missing = missingFolders(parent);
  const drafts: string[] = [];
  const into = async (): Promise<LogStore> => {
    const draft = join(parent, `.${basename(folder)}-${randomUUID()}`);
    drafts.push(draft);
    await createFileStore(draft, log.store.id);
    return openFileStore({ folder: draft });
  };
  try {
    await makeFolder(parent);
    const { position, archiveDamage } = await copyLog(log.store, into);
    await rename(drafts.at(-1) ?? "", folder);
    await syncFolder(parent);
    const upTo =
      position === null
        ? "no commit yet"
        : `${count(position.n, "commit")}, the last one ${position.epoch}:${position.n}`;
    await print(`${heading}  copied: ${upTo}`);
    if (archiveDamage !== null)
      await print(
        `${heading}  not all of its past is there to be copied, though all of its state is: ${archiveDamage.message}`,
      );
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error;
    // Nobody but this knows of the drafts, and none is left to be looked at.
    const why = drafts.reduce((text, draft) => text.replaceAll(draft, folder), error.message);
    throw new ToolError(`copying into ${folder}: ${why}`, { cause: error });
  } finally {
    for (const draft of drafts) await rm(draft, { recursive: true, force: true });
    // Those that have the copy in them stay.
    for (const made of missing) await rmdir(made).catch(() => undefined);
  }
  await verifyAloud({ ...log, where: folder, store: await openFileStore({ folder }) }, heading);
}

/** The folders that are not there yet on the way to one, the deepest first. */
function missingFolders(folder: string): string[] {
  const missing: string[] = [];
  for (let each = resolve(folder); !existsSync(each); each = dirname(each)) missing.push(each);
  return missing;
}
