import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createFileStore, openFileStore, type LogStore } from "log-replay";
import { copyLog, type Copied } from "log-replay/tools";
import { SERVICES } from "../../functions/settings/services.ts";
import { syncFolder, writeFileAtomically } from "../../host/atomic-file.ts";
import { EXIT, ToolError } from "../exit.ts";
import { count, print } from "../output.ts";
import { IDENTITIES, openLogs, type OpenLog } from "../open-logs.ts";
import { verifyOne } from "./verify.ts";

/**
 * Copies logs into a folder that can be used as a data folder. A log is there under its name only once it is whole, and
 * what is there already is never touched.
 */
export async function backup(folder: string, services: readonly string[]): Promise<void> {
  const sources = await openLogs(services);
  const logs = join(resolve(folder), "log");
  for (const { service } of sources)
    if (existsSync(join(logs, service)))
      throw new ToolError(`${join(logs, service)} is there already: name a folder that has no backup in it`);
  await mkdir(logs, { recursive: true });
  const began = new Date();
  for (const source of sources) await backUp(source, logs);
  writeIdentities(resolve(folder), sources);
  await print(
    `Every commit that was answered before ${began.toISOString()} is in ${folder}. docs/backup.md tells how to restore it.`,
  );
}

async function backUp({ service, store, indexes }: OpenLog, logs: string): Promise<void> {
  const drafts: string[] = [];
  const into = async (): Promise<LogStore> => {
    const draft = join(logs, `.${service}-${randomUUID()}`);
    drafts.push(draft);
    await createFileStore(draft, store.id);
    return openFileStore({ folder: draft });
  };
  let copied: Copied;
  const where = join(logs, service);
  try {
    copied = await copyLog(store, into);
    await rename(drafts.at(-1) ?? "", where);
    syncFolder(logs);
  } finally {
    for (const draft of drafts) await rm(draft, { recursive: true, force: true });
  }
  const { position, archiveDamage } = copied;
  await print(
    `${service.padEnd(7)}  copied: ${position === null ? "no commit yet" : `${count(position.n, "commit")}, the last one ${position.epoch}:${position.n}`}`,
  );
  if (archiveDamage !== null)
    await print(
      `${service.padEnd(7)}  not all of its past is there to be copied, though all of its state is: ${archiveDamage.message}`,
    );
  const { damages } = await verifyOne(
    { service, where, store: await openFileStore({ folder: where }), indexes },
    false,
  );
  if (damages > 0) process.exitCode = EXIT.wrong;
}

/** As a start of the shop writes it: which log belongs to which service. Only all of them make a data folder. */
function writeIdentities(folder: string, sources: readonly OpenLog[]): void {
  const file = join(folder, IDENTITIES);
  if (sources.length < SERVICES.length || existsSync(file)) return;
  const known = Object.fromEntries(sources.map(({ service, store }) => [service, store.id]));
  writeFileAtomically(file, `${JSON.stringify(known, null, 2)}\n`);
}
