/** What one `npm start` or `npm run serve` runs, in the order in which it comes up and goes down. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "./atomic-file.ts";
import { type Configuration, SERVICES } from "./configuration.ts";
import { type DataFolder, openDataFolder, readSecrets } from "./data-folder.ts";
import { Diagnostics } from "./diagnostics.ts";
import type { FunctionHost } from "./function-host.ts";
import { lookAtGiven } from "./given-redis.ts";
import { Ledger } from "./ledger.ts";
import { type Release, takeLock } from "./lock.ts";
import { openLogStores } from "./log-stores.ts";
import { requireFreePort } from "./ports.ts";
import type { Queues } from "./queues/queues.ts";
import { Recovery } from "./recovery.ts";
import { RedisServers } from "./redis-servers.ts";
import { StartError } from "./start-error.ts";
import { SupervisedProcess } from "./supervised-process.ts";
import { Undo } from "./undo.ts";

/** Makes the host of the functions. @param name of its pid file */
export type MakeFunctionHost = (name: string, configuration: Configuration, diagnostics: Diagnostics) => FunctionHost;

export class HostedShop {
  readonly #configuration: Configuration;
  readonly #makeFunctionHost: MakeFunctionHost;
  /** host, or host-8001 for a further one */
  readonly #hostName: string;
  readonly #undo = new Undo();
  readonly #stopping = new AbortController();
  #redis: RedisServers | undefined;
  #queues: Queues | undefined;
  #host: SupervisedProcess | undefined;

  constructor(configuration: Configuration, makeFunctionHost: MakeFunctionHost) {
    this.#configuration = configuration;
    this.#makeFunctionHost = makeFunctionHost;
    this.#hostName = configuration.hostsOnly ? `host-${configuration.httpPort}` : "host";
  }

  /**
   * Resolves when the functions serve, every service is restored and open sagas are resumed.
   * @throws StartError; `stop` undoes what was begun then, too
   */
  async start(): Promise<void> {
    const { hostsOnly, settings } = this.#configuration;
    const folder = openDataFolder(this.#configuration.dataDir);
    const name = hostsOnly ? this.#hostName : "supervisor";
    const diagnostics = new Diagnostics(folder.runDir, name);
    this.#undo.push(await this.#lock(folder, name, diagnostics));
    const ledger = new Ledger(folder.runDir, `${name}.json`);
    for (const left of await ledger.stopLeftovers())
      diagnostics.note(`${left} was left behind by a supervisor that was killed: stopped`);
    this.#undo.push(() => ledger.remove());

    const functionHost = this.#makeFunctionHost(this.#hostName, this.#configuration, diagnostics);
    for (const { port, setting, host } of functionHost.ports) await requireFreePort(port, setting, host);
    const secrets = readSecrets(folder, !hostsOnly);
    const stores = await openLogStores(folder, !hostsOnly);
    this.#abortIfStopping();

    const recovery = new Recovery(functionHost.invoke, diagnostics, this.#stopping.signal);
    const recover = (): void => {
      if (!hostsOnly) this.#tellGateway(folder, diagnostics);
      void recovery.demand();
    };
    this.#redis = new RedisServers(this.#configuration, folder, ledger, diagnostics, recover);
    this.#undo.push(() => this.#redis?.stop());
    void lookAtGiven(this.#configuration.givenRedis, diagnostics);
    const urls = hostsOnly ? this.#redis.readUrls() : await this.#redis.start(secrets.redisPassword);
    this.#abortIfStopping();

    const environment: Record<string, string> = {
      ...settings,
      DATA_DIR: folder.path,
      INTERNAL_SECRET: secrets.internalSecret,
    };
    for (const service of SERVICES) {
      environment[`REDIS_URL_${service.toUpperCase()}`] = urls[service];
      environment[`LOG_STORE_${service.toUpperCase()}`] = stores[service];
    }
    if (settings["SAGA"] === "events") {
      const { Queues } = await import("./queues/queues.ts");
      this.#queues = new Queues(this.#configuration, folder, ledger, diagnostics, recover);
      this.#undo.push(() => this.#queues?.stop());
      environment["SQS_ENDPOINT"] = await this.#queues.start();
      this.#abortIfStopping();
    }
    this.#host = new SupervisedProcess(functionHost.child(environment), ledger, diagnostics, recover);
    this.#undo.push(functionHost.cleanUp);
    this.#undo.push(() => this.#host?.stop(functionHost.patience));
    await this.#host.start().catch((error: unknown) => {
      throw new StartError(
        `the functions' host did not start: ${error instanceof Error ? error.message : String(error)}`,
      );
    });
    if (!hostsOnly) {
      this.#tellGateway(folder, diagnostics);
      this.#undo.push(() => rmSync(folder.gatewayFile, { force: true }));
    }
    await recovery.demandFirst();
    this.#abortIfStopping();
  }

  /** Stops everything that `start` began, the host before the Redis servers. Never rejects. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#undo.run();
  }

  hurry(): void {
    this.#host?.killNow();
    this.#queues?.killNow();
    this.#redis?.killNow();
  }

  /** For the exit event of a supervisor that fails: synchronous. */
  killNow(): void {
    this.hurry();
  }

  /** For functions that are run beside the shop (`serverless invoke local`); again where the folder was removed. */
  #tellGateway({ gatewayFile }: DataFolder, diagnostics: Diagnostics): void {
    try {
      writeFileAtomically(gatewayFile, `${this.#configuration.settings["GATEWAY_URL"]}\n`);
    } catch (error) {
      diagnostics.note(`${gatewayFile} cannot be written: ${(error as Error).message}`);
    }
  }

  async #lock(folder: DataFolder, name: string, diagnostics: Diagnostics): Promise<Release> {
    const { hostsOnly, httpPort } = this.#configuration;
    return takeLock(join(folder.path, `${name}.lock`), {
      busy: (owner) =>
        hostsOnly
          ? `a host on port ${httpPort} serves ${folder.path} already (${owner})`
          : `the data folder ${folder.path} is supervised by another start (${owner}): stop that one, or set DATA_DIR`,
      blocked: (problem) => diagnostics.warn(`waiting: DATA_DIR: ${folder.path} cannot be written: ${problem}`),
      unblocked: () => diagnostics.warn(`DATA_DIR: ${folder.path} can be written again`),
      lost: () => {
        throw new StartError(
          `the data folder ${folder.path} was taken over by another start while this one was stopped`,
        );
      },
    });
  }

  #abortIfStopping(): void {
    if (this.#stopping.signal.aborted) throw new StartError("stopped while starting");
  }
}
