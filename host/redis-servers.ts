/** The three Redis servers of a shop: those that are given, and those that are started. */
import { readFileSync, rmSync } from "node:fs";
import { writeFileAtomically } from "./atomic-file.ts";
import { type Configuration, SERVICES, type Service } from "./configuration.ts";
import { type DataFolder } from "./data-folder.ts";
import { type Diagnostics } from "./diagnostics.ts";
import { type Ledger } from "./ledger.ts";
import { findRedisServer } from "./redis-binary.mjs";
import { redisServer, type RedisSettings, redisUrl } from "./redis-server.ts";
import { StartError } from "./start-error.ts";
import { startOnFreePort } from "./start-on-free-port.ts";
import { SupervisedProcess } from "./supervised-process.ts";

export type RedisUrls = Record<Service, string>;

const PATIENCE_MS = 2_000;

export class RedisServers {
  readonly #configuration: Configuration;
  readonly #folder: DataFolder;
  readonly #ledger: Ledger;
  readonly #diagnostics: Diagnostics;
  readonly #onReadyAgain: () => void;
  readonly #started: SupervisedProcess[] = [];
  #urls: Partial<RedisUrls> = {};

  constructor(
    configuration: Configuration,
    folder: DataFolder,
    ledger: Ledger,
    diagnostics: Diagnostics,
    onReadyAgain: () => void,
  ) {
    this.#configuration = configuration;
    this.#folder = folder;
    this.#ledger = ledger;
    this.#diagnostics = diagnostics;
    this.#onReadyAgain = onReadyAgain;
  }

  /** The URLs of a shop that another start supervises. @throws StartError */
  readUrls(): RedisUrls {
    return Object.fromEntries(
      SERVICES.map((service) => [service, this.#configuration.givenRedis[service] ?? this.#readUrl(service)]),
    ) as RedisUrls;
  }

  /** @throws StartError */
  async start(password: string): Promise<RedisUrls> {
    const urls = { ...this.#configuration.givenRedis };
    const toStart = SERVICES.filter((service) => urls[service] === undefined);
    if (toStart.length > 0) {
      const found = findRedisServer(process.env);
      const binary = found.path;
      if (binary === undefined) throw new StartError(found.problem);
      for (const [service, url] of await Promise.all(
        toStart.map(async (name) => [name, await this.#startOne(name, binary, password)] as const),
      ))
        urls[service] = url;
    }
    this.#urls = urls;
    this.#writeUrls();
    return urls as RedisUrls;
  }

  #writeUrls(): void {
    for (const service of SERVICES)
      if (this.#urls[service]) writeFileAtomically(this.#folder.redisUrlFile(service), `${this.#urls[service]}\n`);
  }

  /** Writes the addresses again as well, because whoever removed the folder has removed them. */
  #readyAgain(): void {
    try {
      this.#writeUrls();
    } catch (error) {
      this.#diagnostics.note(`the addresses of the Redis servers cannot be written: ${(error as Error).message}`);
    }
    this.#onReadyAgain();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#started.map((server) => server.stop(PATIENCE_MS)));
    // A further host only reads the addresses.
    if (!this.#configuration.hostsOnly)
      for (const service of SERVICES) rmSync(this.#folder.redisUrlFile(service), { force: true });
  }

  killNow(): void {
    for (const server of this.#started) server.killNow();
  }

  async #startOne(service: Service, binary: string, password: string): Promise<string> {
    const on = (port: number): RedisSettings => ({ service, binary, port, password, runDir: this.#folder.runDir });
    const port = await startOnFreePort(`the Redis of ${service}`, (free) => {
      const server = new SupervisedProcess(
        redisServer(on(free), this.#diagnostics),
        this.#ledger,
        this.#diagnostics,
        () => this.#readyAgain(),
      );
      // Also while it starts, and where it does not: to stop it once more is no harm.
      this.#started.push(server);
      return server;
    });
    return redisUrl(on(port));
  }

  #readUrl(service: Service): string {
    try {
      return readFileSync(this.#folder.redisUrlFile(service), "utf8").trim();
    } catch {
      throw new StartError(
        `${this.#folder.redisUrlFile(service)} is missing: no shop runs on this data folder (HOSTS_ONLY=1 adds a host to one that does)`,
      );
    }
  }
}
