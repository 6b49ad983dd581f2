import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { createFileStore, type LoggedRedis } from "log-replay";
import { startRedis, type RedisServer } from "../../../layers/redis-occ/test/support/redis.ts";
import { SIGNATURE_HEADER, sign } from "../../calls/signature.ts";
import { openState, type Service } from "../../state/open-state.ts";
import { Gateway } from "./gateway.ts";
import { lambdaContext, proxyEvent } from "./invocation.ts";
import type { TestQueues } from "./queues.ts";
import { setRight } from "./clock.ts";
import { handlerOf, match } from "./routes.ts";
import { SERVICES, type ServiceName as Name } from "../../settings/services.ts";

export const SECRET = "a secret of the tests' own";

/** What a caller sees of an answer. */
export interface Seen {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  /** The parsed body; undefined where it is not JSON. */
  readonly json: unknown;
  /** The code of an error; undefined where it is none. */
  readonly code: string | undefined;
  readonly retryAfter: string | undefined;
  readonly location: string | undefined;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds that the invocation has. */
  readonly time?: number;
}

/** Milliseconds that are set where a test sets nothing: long enough for a machine that is busy with other tests. */
const SETTINGS = {
  SAGA_TIMEOUT_MS: 5_000,
  STEP_TIMEOUT_MS: 2_000,
  RETENTION_MS: 86_400_000,
  COMPACT_BYTES: 67_108_864,
  COMPACT_AGE_MS: 86_400_000,
  RESEND_MS: 2_000,
  EVENT_SAGA_TIMEOUT_MS: 600_000,
};

/** The three services in this process: real handlers on real Redis servers and real logs, and a gateway between them. */
export class Shop {
  readonly gateway: Gateway;
  readonly redis: Readonly<Record<Name, RedisServer>>;
  readonly folder: string;
  readonly #clients = new Map<Name, Redis>();
  #queues: TestQueues | undefined;

  private constructor(gateway: Gateway, redis: Readonly<Record<Name, RedisServer>>, folder: string) {
    this.gateway = gateway;
    this.redis = redis;
    this.folder = folder;
  }

  /** One for each test file: a process has one state for each service. */
  static async open(settings: Partial<typeof SETTINGS> = {}): Promise<Shop> {
    const folder = await mkdtemp(join(tmpdir(), "shop-"));
    const servers = await Promise.all(SERVICES.map(() => startRedis()));
    const redis = Object.fromEntries(SERVICES.map((name, i) => [name, servers[i]])) as Record<Name, RedisServer>;
    const gateway = await Gateway.listen();
    try {
      for (const name of SERVICES) {
        const { id } = await createFileStore(join(folder, "log", name));
        process.env[`REDIS_URL_${name.toUpperCase()}`] = redis[name].url;
        process.env[`LOG_STORE_${name.toUpperCase()}`] = id;
      }
    } catch (error) {
      await Promise.all([gateway.close(), ...servers.map((server) => server.stop())]);
      throw error;
    }
    Object.assign(process.env, {
      DATA_DIR: folder,
      DURABILITY: "os",
      INTERNAL_SECRET: SECRET,
      GATEWAY_URL: gateway.url,
      LOG_LEVEL: "silent",
    });
    const shop = new Shop(gateway, redis, folder);
    shop.set({ ...SETTINGS, ...settings });
    return shop;
  }

  /** The same with checkouts by events. */
  static async openWithQueues(settings: Partial<typeof SETTINGS> = {}): Promise<Shop> {
    const shop = await Shop.open(settings);
    process.env["SAGA"] = "events";
    const { TestQueues } = await import("./queues.ts");
    shop.#queues = await TestQueues.open();
    return shop;
  }

  /** Whoever only prepares something waits for the states as long as it takes: a request is told 503 after less than a second. */
  async ready(): Promise<void> {
    for (const name of SERVICES) await (await this.state(name)).ready();
  }

  get queues(): TestQueues {
    if (this.#queues === undefined) throw new Error("a shop without queues");
    return this.#queues;
  }

  /** Changes settings; they are read anew with each request. */
  set(settings: Partial<typeof SETTINGS>): void {
    for (const [name, value] of Object.entries(settings)) process.env[name] = String(value);
  }

  /** For the tests of what takes too long. */
  hurry(): void {
    this.set({ SAGA_TIMEOUT_MS: 1_000, STEP_TIMEOUT_MS: 300 });
  }

  /** Undoes what a test has left in the way of others, and waits for what it has left under way. */
  async reset(): Promise<void> {
    setRight();
    this.gateway.heal();
    await this.gateway.quiet();
    if (this.#queues) {
      this.#queues.heal();
      await this.#queues.quiet();
      this.#queues.repeat = false;
      this.#queues.deliveries.length = 0;
    }
    this.set(SETTINGS);
    this.gateway.repeatSteps = false;
    this.gateway.deliveries.length = 0;
  }

  async close(): Promise<void> {
    await this.#queues?.close();
    await this.gateway.close();
    for (const name of SERVICES) await (await this.state(name)).close();
    for (const client of this.#clients.values()) client.disconnect();
    await Promise.all(Object.values(this.redis).map((server) => server.stop()));
    await rm(this.folder, { recursive: true });
  }

  get(path: string, options: RequestOptions = {}): Promise<Seen> {
    return this.request("GET", path, options);
  }

  post(path: string, options: RequestOptions = {}): Promise<Seen> {
    return this.request("POST", path, options);
  }

  /** As another service calls. @param age milliseconds since it was signed */
  signed(
    path: string,
    body: unknown,
    { age = 0, ...options }: RequestOptions & { readonly age?: number } = {},
  ): Promise<Seen> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const signature = sign({ method: "POST", path, body: text }, SECRET, Date.now() - age);
    return this.post(path, { ...options, body: text, headers: { [SIGNATURE_HEADER]: signature, ...options.headers } });
  }

  /** Invokes the handler of a route. */
  async request(method: string, path: string, { headers, body, time }: RequestOptions = {}): Promise<Seen> {
    const found = match(method, path);
    if (found === null) throw new Error(`no route for ${method} ${path}`);
    const handler = await handlerOf(found.route);
    const {
      route: { resource, module },
      pathParameters,
    } = found;
    const event = proxyEvent({
      method,
      path,
      resource,
      pathParameters,
      ...(headers ? { headers } : {}),
      ...(body === undefined ? {} : { body }),
    });
    const result = await handler(event, lambdaContext(module.replace("/", "-"), time));
    const type = String(result.headers?.["content-type"]);
    const json: unknown = type === "application/json" ? JSON.parse(result.body) : undefined;
    const retryAfter = result.headers?.["retry-after"];
    const location = result.headers?.["location"];
    return {
      status: result.statusCode,
      type,
      body: result.body,
      json,
      code: (json as { error?: { code: string } } | undefined)?.error?.code,
      retryAfter: retryAfter === undefined ? undefined : String(retryAfter),
      location: location === undefined ? undefined : String(location),
    };
  }

  /** Runs a scheduled function. @param time milliseconds that the invocation has */
  async run(
    task:
      | "order/resume-sagas"
      | "order/maintain"
      | "stock/maintain"
      | "payment/maintain"
      | "order/compact"
      | "stock/compact"
      | "payment/compact",
    time = 10_000,
  ): Promise<Record<string, number>> {
    const { handler } = (await import(`../../${task}.ts`)) as {
      handler: (event: unknown, context: unknown) => Promise<Record<string, number>>;
    };
    return handler({ source: "aws.events" }, lambdaContext(task.replace("/", "-"), time));
  }

  async state(name: Name): Promise<LoggedRedis> {
    const service = (await import(`../../${name}/service.ts`)) as Record<Name, Service>;
    return openState(service[name]);
  }

  /** An ordinary client of a service's Redis, to look and to interfere from outside. */
  client(name: Name): Redis {
    const client = this.#clients.get(name) ?? new Redis(this.redis[name].url);
    this.#clients.set(name, client);
    return client;
  }

  /** A stored row, as the service has it. */
  async row<T>(name: Name, key: string): Promise<T | null> {
    const [row = null] = await (await this.state(name)).occ.read<T>([key]);
    return row;
  }

  /** Every key of a service's state, whatever wrote it. */
  async keys(name: Name): Promise<string[]> {
    return (await this.client(name).keys("*")).filter((key) => !/^(log|occ):/.test(key)).sort();
  }

  /** How many keys it has, the log's own too, without those that end by themselves in a while. */
  async lasting(name: Name): Promise<number> {
    const client = this.client(name);
    const lives = await Promise.all((await client.keys("*")).map((key) => client.pttl(key)));
    return lives.filter((life) => life === -1).length;
  }
}
