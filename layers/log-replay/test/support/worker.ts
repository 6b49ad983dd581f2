/**
 * A process with a client of its own, on the Redis ARGV[1] and the log at the place ARGV[2], in JSON, in which keys may end if
 * ARGV[4] is "true", and be hashes if ARGV[5] is. Answers each message
 * `{ id, op, keys, amount, timeout }` with `{ id, result }` or `{ id, error, retryable }`; tells events as `{ event }`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { fields } from "redis-occ";
import { LoggedRedis } from "../../src/index.ts";
import { openPlace, type Place } from "./place.ts";

export interface Order {
  readonly id: number;
  /**
   * Adds `amount` to each key and records `id` in a list; sets each to `id` for a minute; puts `id` into a field of each, that of 10
   * before is removed; refuses; reads; makes ready; tells how often its store was asked; works for half a second before it does anything
   * else, twenty times.
   */
  readonly op: "add" | "hold" | "field" | "refuse" | "read" | "ready" | "asked" | "busy";
  readonly keys: readonly string[];
  readonly timeout?: number;
}

/** Milliseconds. */
const BUSY = 500;

export type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string; readonly retryable: boolean };

const [url = "", place = "", lockTtl, expiry, hashes] = process.argv.slice(2);
const { store, asked } = await openPlace(JSON.parse(place) as Place);
const state = new LoggedRedis({
  url,
  store,
  lockTtl: Number(lockTtl ?? 3_000),
  expiry: expiry === "true",
  hashes: hashes === "true",
  onEvent: (event) => process.send?.({ event }),
});

const run: Record<Order["op"], (order: Order) => Promise<unknown>> = {
  add: ({ id, keys, timeout = 10_000 }) =>
    state.occ.transact(
      keys,
      (view) => {
        const set: Record<string, number[]> = {};
        for (const key of keys) set[key] = [...(view.get<number[]>(key) ?? []), id];
        return { result: set, set };
      },
      { meta: { op: "add", id }, timeout },
    ),
  hold: ({ id, keys, timeout = 10_000 }) =>
    state.occ.transact(
      [],
      () => ({ result: null, setWithTtl: keys.map((key) => [key, { value: id, ttl: 60_000 }] as const) }),
      { timeout },
    ),
  field: ({ id, keys, timeout = 10_000 }) =>
    state.occ.transact(
      keys,
      () => ({
        result: null,
        set: keys.map((key) => [key, fields({ [`f${id}`]: id, [`f${id - 10}`]: null })] as const),
      }),
      { timeout },
    ),
  refuse: ({ keys, timeout = 10_000 }) =>
    state.occ.transact(
      keys,
      (view) => {
        throw Object.assign(new Error("refused"), { seen: keys.map((key) => view.get(key)) });
      },
      { timeout },
    ),
  read: ({ keys, timeout = 10_000 }) => state.occ.read(keys, { timeout }),
  ready: ({ timeout = 10_000 }) => state.ready({ timeout }),
  asked: () => Promise.resolve(asked()),
  busy: async () => {
    for (let times = 0; times < 20; times++) {
      await sleep(1);
      for (const end = performance.now() + BUSY; performance.now() < end;);
    }
  },
};

process.on("message", (order: Order) => {
  run[order.op](order).then(
    (result) => process.send?.({ id: order.id, result: result ?? null }),
    (thrown: unknown) => {
      const error = thrown as Error & { readonly retryable?: boolean };
      process.send?.({ id: order.id, error: `${error.name}: ${error.message}`, retryable: error.retryable === true });
    },
  );
});
process.on("disconnect", () => process.exit());
process.send?.({ event: { event: "started" } });
