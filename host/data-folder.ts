/** What lies where in the data folder, and the secrets that are made once for it. */
import { randomBytes } from "node:crypto";
import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "./atomic-file.ts";
import { type Service } from "./configuration.ts";
import { makeFolder } from "./make-folder.ts";
import { StartError } from "./start-error.ts";

export interface DataFolder {
  path: string;
  /** Pid files, addresses and output of the shop that runs now. */
  runDir: string;
  logDir(service: Service): string;
  storesFile: string;
  redisUrlFile(service: Service): string;
  /** The file with the URL by which the services reach each other through HTTP. */
  gatewayFile: string;
}

/** Creates the folders that are missing. Only their owner may look into them, because they hold passwords and money. */
export function openDataFolder(path: string): DataFolder {
  const runDir = join(path, "run");
  try {
    makeFolder(path);
    makeFolder(runDir);
    chmodSync(runDir, 0o700);
  } catch (error) {
    throw new StartError(`DATA_DIR: the data folder ${path} cannot be used: ${(error as Error).message}`);
  }
  return {
    path,
    runDir,
    logDir: (service) => join(path, "log", service),
    storesFile: join(path, "stores.json"),
    redisUrlFile: (service) => join(runDir, `redis-${service}.url`),
    gatewayFile: join(runDir, "gateway.url"),
  };
}

export interface Secrets {
  redisPassword: string;
  internalSecret: string;
}

/**
 * @param create false: another start has made them (HOSTS_ONLY)
 * @throws StartError
 */
export function readSecrets(folder: DataFolder, create: boolean): Secrets {
  const secretsDir = join(folder.path, "secrets");
  try {
    if (create) makeFolder(secretsDir);
  } catch (error) {
    throw new StartError(`DATA_DIR: ${(error as Error).message}`);
  }
  return {
    redisPassword: readSecret(join(secretsDir, "redis-password"), create),
    internalSecret: readSecret(join(secretsDir, "internal-secret"), create),
  };
}

const SECRET_BYTES = 32;

function readSecret(file: string, create: boolean): string {
  let secret = "";
  try {
    secret = readFileSync(file, "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      throw new StartError(`DATA_DIR: ${(error as Error).message}`);
    if (!create) throw new StartError(`${file} is missing: no shop has been started on this data folder`);
  }
  if (secret !== "") return secret;
  secret = randomBytes(SECRET_BYTES).toString("hex");
  writeFileAtomically(file, `${secret}\n`);
  return secret;
}
