/** Puts older data in the place of newer ones: in a Redis, under its process, or in a log. */
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { startRedis } from "../../layers/redis-occ/test/support/redis.ts";
import { until } from "../support/cluster.ts";
import { withRedis } from "../support/live-state.ts";
import { SERVICES, type LeanShop, type Service } from "./support/lean-shop.ts";

const SYNC_AT_ONCE = ["--repl-diskless-sync-delay", "0"];

/** What the Redis servers need for it. */
export const redisArguments = (service: Service, folder: string): readonly string[] => [
  ...["--dir", folder, "--dbfilename", `${service}.rdb`, "--enable-debug-command", "yes"],
  ...SYNC_AT_ONCE,
];

export class OlderCopies {
  readonly #shop: LeanShop;
  /** The last commit that a copy of a log may have. */
  readonly #ends = new Map<Service, number>();

  constructor(shop: LeanShop) {
    this.#shop = shop;
  }

  /** Only now and then, so that what is put back later is old. */
  async keep(): Promise<void> {
    for (const service of SERVICES) {
      const url = this.#shop.redisUrl(service);
      await withRedis(url, (redis) => redis.save());
      cpSync(this.#dump(service), this.#olderDump(service));
      rmSync(this.#dump(service));
      rmSync(this.#olderLog(service), { recursive: true, force: true });
      cpSync(this.#shop.logFolder(service), this.#olderLog(service), { recursive: true });
      this.#ends.set(service, await withRedis(url, lastIn));
    }
  }

  /** The Redis is killed, and started with the copy. */
  async restart(service: Service): Promise<void> {
    await this.#shop.restartRedis(service, () => this.#putDump(service));
    rmSync(this.#dump(service), { force: true });
  }

  /**
   * The same process loads the copy: it and the history of its data keep their names. Nobody commits meanwhile: that is among
   * the layer's limits.
   * @param meanwhile done while the copy is there and nobody serves
   */
  async reload(service: Service, meanwhile: () => void = () => undefined): Promise<void> {
    await Promise.all(this.#shop.hosts.map((host) => host.kill()));
    this.#putDump(service);
    await withRedis(this.#shop.redisUrl(service), (redis) => redis.call("debug", "reload", "nosave"));
    rmSync(this.#dump(service), { force: true });
    meanwhile();
    await Promise.all(this.#shop.hosts.map((host) => host.start()));
  }

  /** A replica is promoted; the Redis goes on selling, then follows it, and is promoted again. */
  async follow(service: Service): Promise<void> {
    const folder = mkdtempSync(join(this.#shop.dataDir, "replica-"));
    const replica = await startRedis({ args: ["--dir", folder, ...SYNC_AT_ONCE] });
    const url = this.#shop.redisUrl(service);
    try {
      await withRedis(replica.url, (redis) => promoteCopyOf(redis, this.#shop.redis(service).port));
      const copied = await withRedis(replica.url, lastIn);
      // Where nobody buys any more, it follows one that is as new.
      await until("the replica lacks commits", async () => (await withRedis(url, lastIn)) > copied, 2_000).catch(
        () => undefined,
      );
      await withRedis(url, (redis) => promoteCopyOf(redis, replica.port));
    } finally {
      await replica.stop();
    }
  }

  /** Everything is stopped, an older log is put in its place, is refused, and makes room for the right one. */
  async putLog(): Promise<void> {
    const service = "payment";
    const shop = this.#shop;
    const create = async (): Promise<string> => {
      const answer = await shop.client.post("/payment/create_user").catch(() => null);
      return answer === null ? "" : `${answer.status} ${answer.body}`;
    };
    await until("the log has commits that the copy lacks", async () => {
      await create();
      return (await withRedis(shop.redisUrl(service), durableIn)) > (this.#ends.get(service) ?? Infinity);
    });
    const newer = join(shop.dataDir, `${service}-newer-log`);
    await this.#whileStopped(() => {
      cpSync(shop.logFolder(service), newer, { recursive: true });
      replace(shop.logFolder(service), this.#olderLog(service));
    });
    let answer = "";
    await until("the older log is refused", async () => {
      answer = await create();
      return answer.startsWith("200") || answer.includes("log_mismatch");
    });
    if (answer.startsWith("200")) throw new Error("a commit was answered on a log that is older than Redis");
    await this.#whileStopped(() => {
      replace(shop.logFolder(service), newer);
      rmSync(newer, { recursive: true });
    });
  }

  async #whileStopped(change: () => void): Promise<void> {
    const { hosts } = this.#shop;
    await Promise.all(hosts.map((host) => host.kill()));
    change();
    await Promise.all(hosts.map((host) => host.start()));
  }

  #putDump(service: Service): void {
    if (existsSync(this.#olderDump(service))) cpSync(this.#olderDump(service), this.#dump(service));
  }

  #dump(service: Service): string {
    return join(this.#shop.dataDir, `${service}.rdb`);
  }

  #olderDump(service: Service): string {
    return join(this.#shop.dataDir, `${service}-older.rdb`);
  }

  #olderLog(service: Service): string {
    return join(this.#shop.dataDir, `${service}-older-log`);
  }
}

async function promoteCopyOf(redis: Redis, port: number): Promise<void> {
  await redis.replicaof("127.0.0.1", port);
  await until("it has synced", async () => (await redis.info("replication")).includes("master_link_status:up"), 60_000);
  await redis.replicaof("NO", "ONE");
}

async function lastIn(redis: Redis): Promise<number> {
  return Number(await redis.get("log:last"));
}

/** The last commit that was trimmed from the tail, because the log has it. */
async function durableIn(redis: Redis): Promise<number> {
  const [oldest] = await redis.xrange("log:tail", "-", "+", "COUNT", 1);
  return oldest === undefined ? lastIn(redis) : Number(oldest[0].split("-")[1]) - 1;
}

/** In place: the folder may be where a disk is mounted. */
function replace(folder: string, by: string): void {
  rmSync(folder, { recursive: true, force: true });
  cpSync(by, folder, { recursive: true });
}
