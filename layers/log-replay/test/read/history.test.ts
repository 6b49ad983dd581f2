import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import type { Redis } from "ioredis";
import type { RedisServer } from "../../../redis-occ/test/support/redis.ts";
import { openFileStore, type LogStore } from "../../src/index.ts";
import { readStretch } from "../../src/read/stretch.ts";
import { chain, lastBegun } from "../../src/protocol.ts";
import { Worker } from "../support/crew.ts";
import { replayed, stage, stateOf, until } from "../support/stage.ts";
import type { Answer, Order } from "../support/worker.ts";

const on = stage();
const KEYS = ["a", "b", "c", "d", "e"];
const ROUNDS = 12;

/** Seeds to run: HISTORY_SEEDS="7 8 9", or three new ones. */
const seeds =
  process.env["HISTORY_SEEDS"]?.split(" ").map(Number) ??
  Array.from({ length: 3 }, () => Math.floor(Math.random() * 2 ** 31));

/** mulberry32 */
function generator(seed: number): (below: number) => number {
  let a = seed;
  return (below) => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Three processes, one Redis, and what happens to them. */
class Scene {
  readonly folder: string;
  readonly workers: Worker[] = [];
  readonly told: string[] = [];
  readonly #random: (below: number) => number;
  #server: RedisServer;
  outside: Redis;

  constructor(folder: string, server: RedisServer, random: (below: number) => number) {
    this.folder = folder;
    this.#server = server;
    this.#random = random;
    this.outside = on.connect(server.url);
  }

  get url(): string {
    return this.#server.url;
  }

  async hire(): Promise<void> {
    const worker = new Worker(this.url, this.folder, 300);
    on.after(() => worker.kill());
    await until(() => worker.events.length > 0);
    this.workers.push(worker);
  }

  async fault(): Promise<void> {
    const faults: [name: string, happen: () => Promise<unknown>][] = [
      ["flush", () => this.outside.flushall()],
      ["drop connections", () => this.outside.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")],
      ["kill a process", () => this.#replace()],
      ["kill Redis", () => this.#restart()],
      ["expire the lock", () => this.outside.del("log:lock")],
      ["lose the guard", () => this.outside.del("log:guard")],
      ["pause a process", () => this.#pause()],
      ["nothing", () => Promise.resolve()],
    ];
    const [name, happen] = faults[this.#random(faults.length)] as (typeof faults)[number];
    this.told.push(name);
    await happen();
  }

  async #replace(): Promise<void> {
    const [victim] = this.workers.splice(this.#random(this.workers.length), 1);
    await victim?.kill();
    await this.hire();
  }

  async #restart(): Promise<void> {
    await this.#server.kill();
    await sleep(this.#random(80));
    this.#server = await on.ownRedis({ port: this.#server.port });
    this.outside = on.connect(this.#server.url);
  }

  /** Long enough for the others to recover without it. */
  async #pause(): Promise<void> {
    const worker = this.workers[this.#random(this.workers.length)];
    worker?.pause();
    if (this.#random(2) === 0) await this.outside.flushall();
    await sleep(100 + this.#random(500));
    worker?.resume();
  }
}

/** The numbers of the history, as the protocol gives it. */
async function numbers(store: LogStore): Promise<number[]> {
  const begins = await store.begins();
  const list: number[] = [];
  for (const stretch of chain(begins, lastBegun(begins)) ?? [])
    for await (const lines of readStretch(store, stretch)) list.push(...lines.map(({ n }) => n));
  return list;
}

test.each(seeds)(
  "random operations under random faults (seed %d): what was answered is there once, what was refused is not, what was seen stays, the log gives the live state",
  async (seed) => {
    const random = generator(seed);
    const store = await on.store();
    const scene = new Scene(store.folder, await on.ownRedis(), random);
    await Promise.all([scene.hire(), scene.hire(), scene.hire()]);

    let id = 0;
    const orders: { readonly order: Order; readonly answer: Promise<Answer | null> }[] = [];
    const give = (): void => {
      const keys = [...new Set([KEYS[random(KEYS.length)] as string, KEYS[random(KEYS.length)] as string])];
      const order: Order = { id: ++id, op: random(4) === 0 ? "read" : "add", keys, timeout: 15_000 };
      orders.push({ order, answer: (scene.workers[random(scene.workers.length)] as Worker).order(order) });
    };
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = random(40); i >= 0; i--) give();
      await sleep(random(60));
      const fault = scene.fault();
      for (let i = random(20); i >= 0; i--) give();
      await fault;
    }

    const seen = new Set<number>();
    const must: Order[] = [];
    const mustNot: number[] = [];
    const unknown: string[] = [];
    for (const { order, answer } of orders) {
      const end = await answer;
      if (end !== null && "result" in end) {
        for (const list of Object.values(end.result as Record<string, number[] | null>))
          for (const one of list ?? []) seen.add(one);
        if (order.op === "add") must.push(order);
      } else if (order.op === "add") {
        if (end?.retryable === true) mustNot.push(order.id);
        else unknown.push(end?.error ?? "died");
      }
    }

    const state = on.open({ url: scene.url, store: await openFileStore({ folder: store.folder }) });
    const values = await state.occ.read<number[]>(KEYS);
    const final = new Map(KEYS.map((key, i) => [key, values[i] ?? []]));
    const present = new Set([...final.values()].flat());
    const story = `seed ${seed}: ${scene.told.join(", ")}; ${must.length} answered, ${mustNot.length} refused, ${unknown.length} unknown`;
    const wrong: string[] = [];
    for (const list of final.values())
      if (new Set(list).size !== list.length) wrong.push(`done twice in ${JSON.stringify(list)}`);
    for (const order of must)
      for (const key of order.keys)
        if (final.get(key)?.includes(order.id) !== true) wrong.push(`${order.id} was answered and is not in ${key}`);
    for (const one of mustNot) if (present.has(one)) wrong.push(`${one} was said to have changed nothing`);
    for (const one of seen) if (!present.has(one)) wrong.push(`${one} was seen and is gone`);
    expect([story, wrong]).toEqual([story, []]);
    expect(must.length).toBeGreaterThan(100);

    const live = await stateOf(scene.outside);
    expect(await replayed(on, store.folder)).toEqual(live);
    expect(await replayed(on, store.folder)).toEqual(live);
    const history = await numbers(store);
    expect(history).toEqual(Array.from({ length: history.length }, (_, i) => i + 1));
  },
  60_000,
);
