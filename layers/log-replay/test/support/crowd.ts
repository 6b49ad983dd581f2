/** Many processes of one service under load, in the middle of which Redis is lost: for tests, and for `npm run bench:crowd`. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startRedis } from "../../../redis-occ/test/support/redis.ts";
import { LoggedRedis } from "../../src/index.ts";
import { Worker } from "./crew.ts";
import { openPlace, type Place } from "./place.ts";

export interface Outcome {
  /** Milliseconds from the loss of Redis until each process served again, the first one first. */
  readonly served: readonly number[];
  /** Requests to the store from the loss until all of them did. */
  readonly asked: number;
  /** The highest epoch that was claimed until then. */
  readonly epochs: number;
  /** The orders of each process that were answered, and those that the log has. */
  readonly answered: readonly (readonly number[])[];
  readonly logged: readonly (readonly number[])[];
}

/** Milliseconds for all of it. It bounds a crowd that never serves again; it is not what is promised. */
const PATIENCE = 600_000;
/** Milliseconds between two orders of a process, so that it is the protocol that is loaded, and not the machine. */
const PAUSE = 100;

interface Member {
  readonly key: string;
  readonly worker: Worker;
  readonly answered: number[];
}

/**
 * Starts all processes at once, and gives each one order after the other, as a function's process has one call at a time. When all
 * have been answered, Redis is killed and an empty one is started at its address. A process is done when an order is answered that
 * it was given after that.
 * @param place a log that nobody works on
 * @param asked how often the store was asked so far; default: the processes count it
 */
export async function crowdLosesRedis(count: number, place: Place, asked?: () => number): Promise<Outcome> {
  const cache = await mkdtemp(join(tmpdir(), "crowd-"));
  let redis = await startRedis();
  const members: Member[] = [];
  const started = (): Worker => new Worker(redis.url, place, undefined, { env: { NODE_COMPILE_CACHE: cache } });
  try {
    // The sources are compiled once for all of them.
    const first = started();
    await first.order({ id: 0, op: "ready", keys: [] });
    await first.quit();
    for (let i = 0; i < count; i++) members.push({ key: `n${i}`, worker: started(), answered: [] });

    let orders = 0;
    let lost = Infinity;
    const all = Promise.withResolvers<undefined>();
    const work = async ({ key, worker, answered }: Member): Promise<number> => {
      for (let began = 0; ; await sleep(PAUSE)) {
        began = performance.now();
        const answer = await worker.order({ id: ++orders, op: "add", keys: [key] });
        if (answer === null) throw new Error("a process has died");
        if ("error" in answer) continue;
        answered.push(answer.id);
        if (members.every((member) => member.answered.length > 0)) all.resolve(undefined);
        if (began > lost) return performance.now() - lost;
      }
    };
    const working = inTime(Promise.all(members.map(work)));
    await Promise.race([all.promise, working]);

    const total = async (): Promise<number> => asked?.() ?? sum(await Promise.all(members.map(askedBy)));
    const before = await total();
    await redis.kill();
    lost = performance.now();
    redis = await startRedis({ port: redis.port });
    const served = (await working).sort((a, b) => a - b);
    const after = await total();
    const { store } = await openPlace(place);
    const epochs = (await store.claims()).at(-1) ?? 0;
    await Promise.all(members.map(({ worker }) => worker.kill()));
    return {
      served,
      asked: after - before,
      epochs,
      answered: members.map(({ answered }) => answered),
      logged: await restored(
        place,
        members.map(({ key }) => key),
      ),
    };
  } finally {
    await Promise.all(members.map(({ worker }) => worker.kill()));
    await redis.stop();
    await rm(cache, { recursive: true, force: true });
  }
}

async function askedBy({ worker }: Member): Promise<number> {
  const answer = await worker.order({ id: -1, op: "asked", keys: [] });
  if (answer === null || "error" in answer) throw new Error("a process does not tell what it has asked");
  return answer.result as number;
}

/** What the log alone gives, in a Redis of its own. */
async function restored(place: Place, keys: readonly string[]): Promise<number[][]> {
  const redis = await startRedis();
  const state = new LoggedRedis({ url: redis.url, store: (await openPlace(place)).store, timeout: PATIENCE });
  try {
    return (await state.occ.read<number[]>(keys)).map((orders) => orders ?? []);
  } finally {
    await state.close();
    await redis.stop();
  }
}

function inTime<T>(work: Promise<T>): Promise<T> {
  const late = new AbortController();
  const timer = sleep(PATIENCE, undefined, { signal: late.signal, ref: false }).then(() => {
    throw new Error(`not all processes served again in ${PATIENCE} ms`);
  });
  return Promise.race([work, timer]).finally(() => late.abort());
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
