/**
 * The identities of the three logs. An empty folder mounted by mistake must not look like a new shop: stores are made only
 * for a data folder that has none, and the manifest says for ever after which ones belong to it.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "./atomic-file.ts";
import { SERVICES, type Service } from "./configuration.ts";
import { type DataFolder } from "./data-folder.ts";
import { StartError } from "./start-error.ts";

export type LogStores = Record<Service, string>;

/**
 * @param create makes the stores of a new data folder
 * @throws StartError where a log is missing or another one
 */
export async function openLogStores(folder: DataFolder, create: boolean): Promise<LogStores> {
  const manifest = readManifest(folder.storesFile);
  if (manifest) {
    for (const service of SERVICES) verify(folder, service, manifest[service]);
    return manifest;
  }
  if (!create) throw new StartError(`${folder.storesFile} is missing: no shop has been started on this data folder`);
  return createStores(folder);
}

async function createStores(folder: DataFolder): Promise<LogStores> {
  // A start that was cut short here has made some of the stores, and they are empty. A log that has records and no
  // manifest is not a new shop.
  const used = SERVICES.filter((service) =>
    entries(folder.logDir(service)).some((name) => name !== "store.json" && !name.startsWith(".")),
  );
  const missing = SERVICES.filter((service) => readIdentity(folder, service) === undefined);
  if (used.length > 0 && missing.length > 0) {
    throw new StartError(
      `${folder.storesFile} is missing, ${folder.logDir(used[0] as Service)} holds a log, and the log of ${missing.join(" and ")} is not there: bring the data folder back whole`,
    );
  }
  const { createFileStore } = await import("log-replay/create-file-store");
  const stores: Partial<LogStores> = {};
  for (const service of SERVICES) stores[service] = (await createFileStore(folder.logDir(service))).id;
  writeFileAtomically(folder.storesFile, `${JSON.stringify(stores, null, 2)}\n`);
  return stores as LogStores;
}

function verify(folder: DataFolder, service: Service, expected: string): void {
  const found = readIdentity(folder, service);
  if (found === expected) return;
  const what = found === undefined ? "it is missing" : `it says ${found}`;
  throw new StartError(
    `the log of ${service} is not the one this data folder was made with: ${join(folder.logDir(service), "store.json")} should say ${expected}, ${what}. Bring the right folder back (a volume not mounted?)`,
  );
}

function readManifest(file: string): LogStores | undefined {
  const content = readIfThere(file);
  if (content === undefined) return undefined;
  try {
    const value = JSON.parse(content) as Partial<LogStores>;
    if (SERVICES.every((service) => typeof value[service] === "string")) return value as LogStores;
  } catch {
    // Said below.
  }
  throw new StartError(`${file} is damaged: it should hold the identity of the log of order, stock and payment`);
}

function readIdentity(folder: DataFolder, service: Service): string | undefined {
  const content = readIfThere(join(folder.logDir(service), "store.json"));
  if (content === undefined) return undefined;
  try {
    const { id } = JSON.parse(content) as { id?: unknown };
    return typeof id === "string" ? id : undefined;
  } catch {
    return undefined;
  }
}

/** @throws StartError where it is there and cannot be read: that is no new shop */
function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new StartError(`DATA_DIR: ${(error as Error).message}`);
  }
}

function entries(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}
