/** The shop on an emulator of AWS, with three Redis beside it: what `npm run deploy:local` and `npm run test:local` start. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "../host/atomic-file.ts";
import { readConfiguration, SERVICES, type Service } from "../host/configuration.ts";
import { openDataFolder, readSecrets } from "../host/data-folder.ts";
import { Diagnostics } from "../host/diagnostics.ts";
import { Ledger } from "../host/ledger.ts";
import { takeLock } from "../host/lock.ts";
import { requireFreePort } from "../host/ports.ts";
import { RedisServers } from "../host/redis-servers.ts";
import { StartError } from "../host/start-error.ts";
import { SupervisedProcess } from "../host/supervised-process.ts";
import { Undo } from "../host/undo.ts";
import { type Emulator } from "./emulator/process.ts";
import { assertForThisMachineAlone } from "./emulator/sockets.ts";
import { deployLocally, emulatorEnvironment, removeLocally } from "./stage-local.ts";

const EMULATOR_PATIENCE_MS = 5_000;

export class LocalShop {
  readonly #dataDir: string;
  readonly #port: number;
  readonly #emulator: Emulator;
  readonly #undo = new Undo();
  #redis: RedisServers | undefined;
  #server: SupervisedProcess | undefined;
  #stackIsLeft = false;
  #stopping: Promise<void> | undefined;

  /** @param dataDir made anew: an emulator that ended has forgotten everything, so what is beside it must be gone, too */
  constructor(emulator: Emulator, dataDir: string, port: number) {
    this.#emulator = emulator;
    this.#dataDir = dataDir;
    this.#port = port;
  }

  /** @returns the base URL of the routes @throws StartError; then, too, `stop` undoes what was begun */
  async start(): Promise<string> {
    const folder = openDataFolder(this.#dataDir);
    this.#undo.push(
      await takeLock(join(folder.path, "supervisor.lock"), {
        busy: (owner) => `${folder.path} is in use by another deployment (${owner})`,
      }),
    );
    const diagnostics = new Diagnostics(folder.runDir, "supervisor");
    const ledger = new Ledger(folder.runDir, "supervisor.json");
    await ledger.stopLeftovers();
    this.#undo.push(() => ledger.remove());
    await requireFreePort(this.#port, "EMULATOR_PORT");

    // Nobody has to be told when a Redis is back: the next request finds it empty, and restores it.
    const redis = (this.#redis = new RedisServers(
      readConfiguration({ DATA_DIR: folder.path }),
      folder,
      ledger,
      diagnostics,
      () => undefined,
    ));
    this.#undo.push(() => redis.stop());
    const urls = await redis.start(readSecrets(folder, true).redisPassword);

    const state = join(folder.path, "emulator");
    rmSync(state, { recursive: true, force: true });
    mkdirSync(state, { recursive: true });
    const server = (this.#server = new SupervisedProcess(
      this.#emulator.child(this.#port, state, diagnostics),
      ledger,
      diagnostics,
      () => undefined,
    ));
    this.#undo.push(() => server.stop(EMULATOR_PATIENCE_MS));
    await server.start().catch((error: unknown) => {
      throw new StartError(`the emulator did not start: ${(error as Error).message}`);
    });
    return this.#deploy(urls, folder.path);
  }

  /** Removes the stack, then stops everything. Never rejects. @returns whether the stack could be removed */
  async stop(): Promise<boolean> {
    this.#stopping ??= this.#undo.run();
    await this.#stopping;
    return !this.#stackIsLeft;
  }

  /** Once more while it runs: what it started since may listen too. @throws Error where others than this machine can reach any of it */
  assertForThisMachineAlone(): void {
    const { pid } = this.#server ?? {};
    if (pid !== undefined) assertForThisMachineAlone("the emulator", pid);
  }

  /** What is started, without the orderly end: all of it is gone with the emulator. */
  killNow(): void {
    this.#server?.killNow();
    this.#redis?.killNow();
  }

  async #deploy(urls: Record<Service, string>, folder: string): Promise<string> {
    const endpoint = `http://127.0.0.1:${this.#port}`;
    const environment = { ...emulatorEnvironment(endpoint), ...this.#emulator.stage };
    for (const service of SERVICES) environment[`REDIS_URL_${service.toUpperCase()}`] = urls[service];
    this.#stackIsLeft = true;
    this.#undo.push(async () => {
      await removeLocally(environment);
      this.#stackIsLeft = false;
    });
    const { url, secret } = await deployLocally(endpoint, environment);
    this.assertForThisMachineAlone();
    writeFileAtomically(join(folder, "secrets", "internal-secret"), `${secret}\n`);
    return url;
  }
}
