/** What may go wrong at any step. */
import type { Visit } from "../explorer.ts";
import { EMPTY, execute, mayExecute } from "./redis.ts";
import {
  IDLE,
  withServer,
  type LaneState,
  type LogState,
  type ProcessState,
  type RedisState,
  type StoreState,
} from "./state.ts";
import { isLeft, nameOf, spend, type Fault, type World } from "./world.ts";

export function faultSteps(world: World, state: LogState, visit: Visit<LogState>): void {
  runQueued(world, state, visit);
  expireLock(state, visit);
  if (isLeft(state, "crash")) crash(world, state, visit);
  loseRedis(state, visit);
  replaceLog(state, visit);
  if (isLeft(state, "power")) losePower(state, visit);
}

/** An EXEC that nobody waits for any more runs at last, or never. */
function runQueued(world: World, state: LogState, visit: Visit<LogState>): void {
  for (const redis of serversOf(state)) {
    const { queued } = redis;
    if (queued === null || !mayExecute(world, redis, queued)) continue;
    const next = execute(state, { ...redis, queued: null }, queued.tx, -1);
    visit(`Redis: runs the queued EXEC of ${queued.tx}`, next, "fault");
  }
}

/**
 * The lock of a process that no longer restores expires by itself; the lock of one that is only slow expires as a
 * fault.
 */
function expireLock(state: LogState, visit: Visit<LogState>): void {
  for (const redis of serversOf(state)) {
    const { lock, server } = redis;
    if (lock === null) continue;
    const holder = state.processes[lock.holder]?.recovery ?? null;
    const free = withServer(state, { ...redis, lock: null });
    if (holder === null || holder.stage === "lock" || holder.server !== server || holder.writes !== lock.writes)
      visit("Redis: the lock expires, its holder is gone", free);
    else if (isLeft(state, "theft"))
      visit("Redis: the lock expires under its slow holder", spend(free, "theft"), "fault");
  }
}

function serversOf({ redis, old }: LogState): RedisState[] {
  return old === null ? [redis] : [redis, old];
}

function crash(world: World, state: LogState, visit: Visit<LogState>): void {
  state.processes.forEach((process, p) => {
    const busy =
      process.writer !== null || process.recovery !== null || process.lanes.some(({ stage }) => stage !== "idle");
    if (!busy) return;
    const processes = state.processes.map((other, i) => (i === p ? restarted(other) : other));
    visit(`${nameOf(world, p)}: crashes and starts again`, spend({ ...state, processes }, "crash"), "fault");
  });
}

/** Requests under way get no answer. */
function restarted({ lanes }: ProcessState): ProcessState {
  const over = (lane: LaneState): LaneState => (lane.stage === "idle" ? lane : { ...IDLE, done: lane.done + 1 });
  return { at: 0, compared: false, writer: null, recovery: null, lanes: lanes.map(over) };
}

function loseRedis(state: LogState, visit: Visit<LogState>): void {
  const { redis, copy } = state;
  const replid = state.replids + 1;
  const other = { server: Math.max(...serversOf(state).map(({ server }) => server)) + 1, replid };
  const fresh = { ...state, replids: replid };
  const isLeftOf = (...faults: Fault[]): boolean => faults.some((fault) => isLeft(state, fault));
  if (isLeft(state, "lost") && (redis.guard !== null || redis.data !== "" || redis.lock !== null)) {
    visit("Redis: restarts empty", spend({ ...fresh, redis: { ...EMPTY, ...other } }, "lost"), "fault");
  }
  if (isLeft(state, "attach") && redis.guard !== null) {
    const named = { ...redis, replid, inherited: false };
    visit("Redis: its first replica attaches", spend({ ...fresh, redis: named }, "attach"), "fault");
  }
  if (copy === null && isLeftOf("stale", "putback", "follow", "failover") && redis.guard !== null) {
    const { guard, data, tail, lock } = redis;
    visit("a copy of Redis is put aside", { ...state, copy: { guard, data, tail, lock } }, "fault");
  }
  if (copy === null) return;
  const copied = { ...redis, ...copy, queued: null };
  const used = { ...state, copy: null };
  const usedFresh = { ...used, replids: replid };
  if (isLeft(state, "stale")) {
    const revived = { ...copied, ...other, inherited: false };
    visit("Redis: restarts with the older copy", spend({ ...usedFresh, redis: revived }, "stale"), "fault");
  }
  if (isLeft(state, "putback"))
    visit("the older copy is put back in the same process", spend({ ...used, redis: copied }, "putback"), "fault");
  if (isLeft(state, "follow")) {
    const followed = { ...copied, replid, inherited: true };
    visit(
      "Redis: follows a server with the older copy, and returns",
      spend({ ...usedFresh, redis: followed }, "follow"),
      "fault",
    );
  }
  if (isLeft(state, "failover") && state.old === null) {
    const promoted = { ...copied, ...other, inherited: true };
    visit(
      "a replica with the older copy is promoted, the old server lives on",
      spend({ ...usedFresh, old: redis, redis: promoted }, "failover"),
      "fault",
    );
  }
}

/** Everything is stopped, a copy takes the place of the log, and everything starts; until the newer log is put back. */
function replaceLog(state: LogState, visit: Visit<LogState>): void {
  const { store, backup, replaced } = state;
  const processes = state.processes.map(restarted);
  if (replaced !== null) {
    if (store === backup)
      visit("the newer log is put back", { ...state, store: replaced.store, replaced: null, backup: null, processes });
    return;
  }
  if (!isLeft(state, "oldlog")) return;
  if (backup === null && store.begins.length > 0)
    visit("a copy of the log is put aside", { ...state, backup: store }, "fault");
  if (backup !== null && backup !== store) {
    const older = { ...state, store: backup, replaced: { store, promised: state.ghost.promised }, processes };
    visit("everything is stopped, the older log is put back, everything starts", spend(older, "oldlog"), "fault");
  }
}

/** All processes go, and so does any part of what was not synced: each file, name and frame for itself. */
function losePower(state: LogState, visit: Visit<LogState>): void {
  const processes = state.processes.map(restarted);
  for (const [what, store] of remains(state.store))
    visit(`power fails${what}`, spend({ ...state, store, processes }, "power"), "fault");
}

function* remains(store: StoreState): Generator<readonly [string, StoreState]> {
  const frames = store.frames.filter(({ synced }) => !synced);
  const begins = store.begins.flatMap((begin, epoch) => (begin !== null && !begin.synced ? [epoch] : []));
  const snapshots = store.snapshots.filter(({ synced }) => !synced);
  const things = frames.length + begins.length + snapshots.length;
  for (let kept = 0; kept < 1 << things; kept++) {
    const isKept = (i: number): boolean => (kept & (1 << i)) !== 0;
    const names = [
      ...frames.map(({ epoch, txs }) => `frame ${txs} of epoch ${epoch}`),
      ...begins.map((epoch) => `beginning of epoch ${epoch}`),
      ...snapshots.map(({ data }) => `snapshot "${data}"`),
    ];
    const lost = names.filter((_, i) => !isKept(i));
    // What comes through is on the disk.
    const left: StoreState = {
      ...store,
      frames: store.frames.flatMap((frame) =>
        frame.synced || isKept(frames.indexOf(frame)) ? [{ ...frame, synced: true }] : [],
      ),
      begins: store.begins.map((begin, epoch) =>
        begin === null || begin.synced || isKept(frames.length + begins.indexOf(epoch))
          ? begin && { ...begin, synced: true }
          : null,
      ),
      claimsSynced: store.claims,
      snapshots: store.snapshots
        .filter((snapshot) => snapshot.synced || isKept(frames.length + begins.length + snapshots.indexOf(snapshot)))
        .map((snapshot) => ({ ...snapshot, synced: true }))
        .slice(-1),
    };
    yield [lost.length === 0 ? "" : `, lost: ${lost.join(", ")}`, left];
    // An epoch's number can only go where nothing else of it is there.
    if (store.claimsSynced < store.claims && left.begins.length <= store.claims) {
      yield [
        `, lost: ${[...lost, `claim on epoch ${store.claims}`].join(", ")}`,
        { ...left, claims: store.claimsSynced },
      ];
    }
  }
}
