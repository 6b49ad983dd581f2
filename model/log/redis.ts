/** What Redis does with the protocol's commands. */
import { above, lastOf, type Run } from "./runs.ts";
import { readHistory } from "./store.ts";
import type { Guard, LogState, QueuedExec, RedisState, WriterState } from "./state.ts";
import type { World } from "./world.ts";
import { breaks } from "./state.ts";

export const EMPTY: Omit<RedisState, "server"> = {
  guard: null,
  data: "",
  tail: { epoch: 0, last: 0, entries: "" },
  lock: null,
  queued: null,
};

export function sameGuard(a: Guard | null, b: Guard | null): boolean {
  return a?.epoch === b?.epoch && a?.server === b?.server;
}

/** The protocol's verdict on the guard that Redis holds now, over a connection that was just opened. */
export function isGuardFine(world: World, { redis, store }: LogState): boolean {
  const { guard, server } = redis;
  if (guard !== null && world.flaws.has("commit number instead of run id")) {
    const history = readHistory(store);
    return typeof history === "string" || redis.tail.last >= history.end;
  }
  const held = guard === null ? null : { epoch: guard.epoch, run_id: String(guard.server), store: "log" };
  return world.decisions.judgeGuard(held, { runId: String(server), store: "log" }) === "fine";
}

/** The transactions on a key that Redis shows, as a number for WATCH and as the value: the last of them. */
export function look(
  world: World,
  { data }: RedisState,
  key: string,
): { readonly version: number; readonly value: string } {
  let version = 0;
  let value = "";
  for (const tx of data) {
    if (world.keyOf.get(tx) !== key) continue;
    version++;
    value = tx;
  }
  return { version, value };
}

/** XRANGE tail (epoch-n) +: everything where nothing is known yet. */
export function tailAfter({ tail }: RedisState, writer: WriterState | null): Run {
  const all = { from: tail.last - tail.entries.length + 1, txs: tail.entries };
  if (writer === null || writer.epoch < tail.epoch) return all;
  return writer.epoch > tail.epoch ? { from: 0, txs: "" } : above(all, writer.enqueued);
}

/** Whether the EXEC finds what it WATCHed as it was. */
export function mayExecute(world: World, redis: RedisState, { guard, tx, version }: QueuedExec): boolean {
  return (
    (sameGuard(redis.guard, guard) || world.flaws.has("guard not watched")) &&
    look(world, redis, world.keyOf.get(tx) ?? "").version === version
  );
}

/** MULTI; SET; XTRIM; XADD; EXEC. */
export function execute(state: LogState, tx: string, durable: number): LogState {
  const { redis, ghost } = state;
  const missed = Array.from(ghost.promised).find((promised) => !redis.data.includes(promised));
  const tail = redis.tail;
  const entries = tail.entries + tx;
  const last = tail.last + 1;
  const left = Math.min(entries.length, Math.max(0, last - durable));
  const saw = [...ghost.saw, `${tx}:${redis.data}`].sort();
  const next: LogState = {
    ...state,
    redis: { ...redis, data: redis.data + tx, tail: { ...tail, last, entries: entries.slice(entries.length - left) } },
    ghost: { ...ghost, saw },
  };
  return missed === undefined
    ? next
    : breaks(
        next,
        "4 no write on missing state",
        `${tx} was committed on a state without ${missed}, which had been answered for`,
      );
}

export const lastIn = (run: Run, otherwise: number): number => (run.txs === "" ? otherwise : lastOf(run));
