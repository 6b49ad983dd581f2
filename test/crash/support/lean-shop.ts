/** The shop with as little around it as possible: real Redis servers, real logs, real processes, all of them cheap to kill and to start. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFileStore } from "log-replay";
import { losePower, type Survives } from "../../../layers/log-replay/test/support/power-loss/lose-power.ts";
import { freePort, startRedis, type RedisServer } from "../../../layers/redis-occ/test/support/redis.ts";
import { SERVICES, type ServiceName as Service } from "../../../functions/settings/services.ts";
import { BY_EVENTS } from "../../support/saga-mode.ts";
import type { Fault } from "../faults/catalogue.ts";
import { Client } from "../../support/http.ts";
import { Disk } from "./disk.ts";
import { HostProcess } from "./host-process.ts";
import { QueueServer } from "./queue-server.ts";

export { SERVICES, type Service };

export interface LeanShopOptions {
  /** Default 2. */
  readonly hosts?: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** What is done to the logs is written down, so that `losePower` can say what a power loss leaves of it. */
  readonly mayLosePower?: boolean;
  /** The logs are on a disk of their own, as far as this process may mount one. */
  readonly ownDisk?: boolean;
  /** Arguments of the Redis servers. */
  readonly redisArguments?: (service: Service, folder: string) => readonly string[];
}

const POWER_LOSS = join(
  import.meta.dirname,
  "..",
  "..",
  "..",
  "layers",
  "log-replay",
  "test",
  "support",
  "power-loss",
  "preload.ts",
);

/** The same by events: an order that waits longer than 2 s is given up; what is lost is sent again after 0.3 s. */
const EVENT_ENVIRONMENT = { SAGA: "events", EVENT_SAGA_TIMEOUT_MS: "2000", RESEND_MS: "300" };

/** A checkout whose driver died is anybody's after 0.8 s: the tests wait for that. */
const ENVIRONMENT = { SAGA_TIMEOUT_MS: "800", STEP_TIMEOUT_MS: "400", LOG_LEVEL: "info" };

export class LeanShop {
  readonly dataDir: string;
  readonly hosts: readonly HostProcess[];
  /** Asks the hosts in turn. */
  readonly client: Client;
  /** Null where the logs are on the disk that everything is on. */
  readonly disk: Disk | null;
  /** A Redis for replays. */
  readonly scratchUrl: string;
  readonly #redis: Map<Service, RedisServer>;
  readonly #scratch: RedisServer;
  readonly #queues: QueueServer | null;
  readonly #arguments: (service: Service) => readonly string[];

  private constructor(
    dataDir: string,
    disk: Disk | null,
    hosts: readonly HostProcess[],
    redis: Map<Service, RedisServer>,
    scratch: RedisServer,
    queues: QueueServer | null,
    args: (service: Service) => readonly string[],
  ) {
    this.dataDir = dataDir;
    this.disk = disk;
    this.hosts = hosts;
    this.scratchUrl = scratch.url;
    this.#scratch = scratch;
    this.#queues = queues;
    this.client = new Client(
      hosts.map(({ url }) => url),
      16,
    );
    this.#redis = redis;
    this.#arguments = args;
  }

  static async start({
    hosts: count = 2,
    environment = {},
    mayLosePower = false,
    ownDisk = false,
    redisArguments = () => [],
  }: LeanShopOptions = {}): Promise<LeanShop> {
    const dataDir = mkdtempSync(join(tmpdir(), "lean-shop-"));
    const disk = ownDisk ? new Disk(join(dataDir, "log")) : null;
    const args = (service: Service): readonly string[] => redisArguments(service, dataDir);
    const servers = await Promise.all(
      SERVICES.map(async (service) => [service, await startRedis({ args: args(service) })] as const),
    );
    const ports = await Promise.all(Array.from({ length: count }, freePort));
    const queues = BY_EVENTS ? await QueueServer.start(await freePort()) : null;
    const shared: Record<string, string> = {
      ...ENVIRONMENT,
      ...(queues === null ? {} : { ...EVENT_ENVIRONMENT, SQS_ENDPOINT: queues.url }),
      ...environment,
      DATA_DIR: dataDir,
      INTERNAL_SECRET: randomBytes(16).toString("hex"),
      FAIL_POINT_REPORT: join(dataDir, "faults.txt"),
      POWER_LOSS_ROOT: join(dataDir, "log"),
      POWER_LOSS_JOURNAL: join(dataDir, "journal"),
    };
    for (const [service, { url }] of servers) {
      shared[`REDIS_URL_${service.toUpperCase()}`] = url;
      shared[`LOG_STORE_${service.toUpperCase()}`] = (await createFileStore(join(dataDir, "log", service))).id;
    }
    const hosts = ports.map(
      (port, i) =>
        new HostProcess({
          port,
          preloads: mayLosePower ? [POWER_LOSS] : [],
          outputFile: join(dataDir, `host-${i}.log`),
          // Each asks the services in the next one, so a step and its caller are in two processes.
          environment: { ...shared, GATEWAY_URL: `http://127.0.0.1:${ports[(i + 1) % count]}` },
        }),
    );
    const shop = new LeanShop(dataDir, disk, hosts, new Map(servers), await startRedis(), queues, args);
    await Promise.all(hosts.map((host) => host.start()));
    return shop;
  }

  redis(service: Service): RedisServer {
    return this.#redis.get(service)!;
  }

  redisUrl(service: Service): string {
    return this.redis(service).url;
  }

  logFolder(service: Service): string {
    return join(this.dataDir, "log", service);
  }

  /** SIGKILL, and an empty one at the same address. @param meanwhile done while there is none */
  async restartRedis(service: Service, meanwhile: () => void = () => undefined): Promise<void> {
    const { port } = this.redis(service);
    await this.redis(service).kill();
    meanwhile();
    this.#redis.set(service, await startRedis({ port, args: this.#arguments(service) }));
  }

  /** The queue server dies with all that it holds, and an empty one is at its address. */
  async restartQueues(): Promise<void> {
    await this.#queues?.restart();
  }

  /** The machine goes off, and on again. @returns what is wrong about what is left (see lose-power.ts) */
  async losePower(survives: Survives): Promise<string[]> {
    let problems: string[] = [];
    await this.restartAll(
      () => (problems = losePower(join(this.dataDir, "log"), join(this.dataDir, "journal"), survives)),
    );
    return problems;
  }

  /** Every process at once is killed and started again. @param meanwhile done while none runs */
  async restartAll(meanwhile: () => void = () => undefined): Promise<void> {
    await Promise.all([
      ...this.hosts.map((host) => host.kill()),
      ...SERVICES.map((service) => this.redis(service).kill()),
      this.#queues?.kill(),
    ]);
    meanwhile();
    await Promise.all([...SERVICES.map((service) => this.restartRedis(service)), this.restartQueues()]);
    await Promise.all(this.hosts.map((host) => host.start()));
  }

  /** Nothing more fails; every host runs and serves. */
  async heal(): Promise<void> {
    for (const host of this.hosts) host.nextFaults = [];
    await Promise.all(this.hosts.map((host) => host.arm([])));
    for (const host of this.hosts) {
      host.signal("SIGCONT");
      host.setClock(0);
    }
    for (const service of SERVICES) this.redis(service).resume();
    await Promise.all(this.hosts.map((host) => host.serving()));
  }

  async arm(faults: readonly Fault[]): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.arm(faults)));
  }

  /** `name:action` of every fault that has struck. */
  struck(): string[] {
    const file = join(this.dataDir, "faults.txt");
    return existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
  }

  /** The request log of all hosts: one object a line. */
  log(): Record<string, unknown>[] {
    return this.hosts.flatMap((_, i) =>
      readFileSync(join(this.dataDir, `host-${i}.log`), "utf8")
        .split("\n")
        .flatMap((line) => {
          try {
            return [JSON.parse(line) as Record<string, unknown>];
          } catch {
            return []; // the last line of a process that was killed, or a warning of Node's own
          }
        }),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.kill()));
    await Promise.all([this.#scratch, ...this.#redis.values()].map((server) => server.stop()));
    await this.#queues?.kill();
    await this.client.close();
    this.disk?.remove();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}
