import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { backUp, command, print, ToolError } from "log-replay/cli";
import { SERVICES } from "../../functions/settings/services.ts";
import { writeFileAtomically } from "../../host/atomic-file.ts";
import { IDENTITIES, openLogs, type OpenLog } from "../open-logs.ts";

export const backup = command({
  name: "backup",
  arguments: "<folder> [service...]",
  what: "a copy of the logs that can be used as a data folder; taken beside the running shop, and verified",
  examples: ["backup ../backup-2026-01-31", "backup ../backup-of-stock stock"],
  options: {},
  run: ([folder = "", ...services]) => backUpAll(folder, services),
});

async function backUpAll(folder: string, services: readonly string[]): Promise<void> {
  const sources = await openLogs(services);
  const copyOf = ({ service }: OpenLog): string => join(resolve(folder), "log", service);
  const present = sources.map(copyOf).find((copy) => existsSync(copy));
  // Before any of them: what is begun should have a chance to be whole.
  if (present !== undefined) throw new ToolError(`${present} is there already: name a folder that has no backup in it`);
  const began = new Date();
  for (const source of sources) await backUp(source, copyOf(source), source.name.padEnd(7));
  writeIdentities(resolve(folder), sources);
  await print(
    `Every commit that was answered before ${began.toISOString()} is in ${folder}. docs/backup.md tells how to restore it.`,
  );
}

/** Writes which log belongs to which service, as a start of the shop does. Only a copy of all of them is a data folder. */
function writeIdentities(folder: string, sources: readonly OpenLog[]): void {
  const file = join(folder, IDENTITIES);
  if (sources.length < SERVICES.length || existsSync(file)) return;
  const known = Object.fromEntries(sources.map(({ service, store }) => [service, store.id]));
  writeFileAtomically(file, `${JSON.stringify(known, null, 2)}\n`);
}
