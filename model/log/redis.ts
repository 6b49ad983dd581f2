/** What Redis does with the protocol's commands. */
import { above, lastOf, type Run } from "./runs.ts";
import { furthestSnapshot, isSealed, readHistory } from "./store.ts";
import {
  breaks,
  withServer,
  type Guard,
  type LogState,
  type QueuedExec,
  type RedisState,
  type StoreState,
  type WriterState,
} from "./state.ts";
import type { Decisions } from "./decisions.ts";
import type { World } from "./world.ts";

export const EMPTY: Omit<RedisState, "server" | "replid"> = {
  inherited: false,
  guard: null,
  data: "",
  tail: { epoch: 0, last: 0, entries: "" },
  lock: null,
  queued: null,
};

export function sameGuard(a: Guard | null, b: Guard | null): boolean {
  return a?.epoch === b?.epoch && a?.server === b?.server && a?.replid === b?.replid;
}

/** The protocol's verdict on the guard that a server holds now. */
export function judge(world: World, store: StoreState, redis: RedisState): ReturnType<Decisions["judgeGuard"]> {
  const { guard, server, replid, inherited } = redis;
  if (guard !== null && world.flaws.has("commit number instead of run id")) {
    const history = readHistory(store);
    return typeof history === "string" || redis.tail.last >= history.end ? "fine" : "restore";
  }
  const held =
    guard === null
      ? null
      : { epoch: guard.epoch, run_id: String(guard.server), replid: String(guard.replid), store: "log" };
  return world.decisions.judgeGuard(held, {
    runId: String(server),
    replid: String(replid),
    inherited,
    store: "log",
  });
}

/** How the positions of a state and of the log stand to each other, within the guard's epoch. */
export function compare(
  world: World,
  store: StoreState,
  { guard, tail }: RedisState,
): ReturnType<Decisions["comparePositions"]> {
  const frames = store.frames.filter(({ epoch }) => epoch === guard?.epoch);
  const cut = store.begins[guard?.epoch ?? 0]?.cut ?? 0;
  const folded = furthestSnapshot(store);
  const end = Math.max(cut, folded?.epoch === guard?.epoch ? (folded?.data.length ?? 0) : 0, ...frames.map(lastOf));
  return world.decisions.comparePositions({ floor: tail.last - tail.entries.length, last: tail.last }, end);
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
export function tailAfter({ tail }: Pick<RedisState, "tail">, writer: WriterState | null): Run {
  const all = { from: tail.last - tail.entries.length + 1, txs: tail.entries };
  if (writer === null || writer.epoch < tail.epoch) return all;
  return writer.epoch > tail.epoch ? { from: 0, txs: "" } : above(all, writer.enqueued);
}

/**
 * Whether the EXEC finds what it read as it was: the values, as a script compares them, the history that they are of, and all
 * that its process has seen. WATCH sees more than that: every write, and every replacement of the data.
 */
export function mayExecute(
  world: World,
  redis: RedisState,
  { guard, replid, before, tx, version }: QueuedExec,
): boolean {
  if (redis.replid !== replid && !world.flaws.has("history not compared by EXEC")) return false;
  if (world.decisions.isBehind(redis.tail.last, before)) return false;
  return (
    (sameGuard(redis.guard, guard) || world.flaws.has("guard not watched")) &&
    look(world, redis, world.keyOf.get(tx) ?? "").version === version
  );
}

/** MULTI; SET; XTRIM; XADD; EXEC, on one of the servers. */
export function execute(state: LogState, redis: RedisState, tx: string, durable: number): LogState {
  const { ghost } = state;
  const missed = Array.from(ghost.promised).find((promised) => !redis.data.includes(promised));
  const tail = redis.tail;
  const entries = tail.entries + tx;
  const last = tail.last + 1;
  const left = Math.min(entries.length, Math.max(0, last - durable));
  const saw = [...ghost.saw, `${tx}:${redis.data}`].sort();
  const changed = {
    ...redis,
    data: redis.data + tx,
    tail: { ...tail, last, entries: entries.slice(entries.length - left) },
  };
  const next = { ...withServer(state, changed), ghost: { ...ghost, saw } };
  // Under the guard of an epoch that is over it never counts: whoever appends it finds the claim.
  const isOver = redis.guard !== null && isSealed(state.store, redis.guard.epoch);
  if (missed === undefined || isOver) return next;
  return breaks(
    next,
    "4 no write on missing state",
    `${tx} was committed on a state without ${missed}, which had been answered for`,
  );
}

export const lastIn = (run: Run, otherwise: number): number => (run.txs === "" ? otherwise : lastOf(run));
