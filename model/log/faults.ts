/** What may go wrong at any step. */
import type { Visit } from "../explorer.ts";
import { EMPTY, execute, mayExecute } from "./redis.ts";
import { IDLE, type LaneState, type LogState, type ProcessState, type StoreState } from "./state.ts";
import { isLeft, nameOf, spend, type World } from "./world.ts";

export function faultSteps(world: World, state: LogState, visit: Visit<LogState>): void {
  runQueued(world, state, visit);
  expireLock(state, visit);
  if (isLeft(state, "crash")) crash(world, state, visit);
  loseRedis(state, visit);
  if (isLeft(state, "power")) losePower(state, visit);
}

/** An EXEC that nobody waits for any more runs at last, or never. */
function runQueued(world: World, state: LogState, visit: Visit<LogState>): void {
  const { queued } = state.redis;
  if (queued === null) return;
  const gone = { ...state, redis: { ...state.redis, queued: null } };
  if (mayExecute(world, state.redis, queued))
    visit(`Redis: runs the queued EXEC of ${queued.tx}`, execute(gone, queued.tx, -1), "fault");
}

/** The lock of a process that no longer restores expires by itself; that of one which is only slow expires as a fault. */
function expireLock(state: LogState, visit: Visit<LogState>): void {
  const { lock, server } = state.redis;
  if (lock === null) return;
  const holder = state.processes[lock]?.recovery ?? null;
  const free = { ...state, redis: { ...state.redis, lock: null } };
  if (holder === null || holder.stage === "lock" || holder.server !== server)
    visit("Redis: the lock expires, its holder is gone", free);
  else if (isLeft(state, "theft"))
    visit("Redis: the lock expires under its slow holder", spend(free, "theft"), "fault");
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
  return { writer: null, recovery: null, lanes: lanes.map(over) };
}

function loseRedis(state: LogState, visit: Visit<LogState>): void {
  const { redis, copy } = state;
  const server = redis.server + 1;
  if (isLeft(state, "lost") && (redis.guard !== null || redis.data !== "" || redis.lock !== null)) {
    visit("Redis: restarts empty", spend({ ...state, redis: { ...EMPTY, server } }, "lost"), "fault");
  }
  if (!isLeft(state, "stale")) return;
  if (copy === null && redis.guard !== null) {
    const { guard, data, tail, lock } = redis;
    visit("a copy of Redis is put aside", { ...state, copy: { guard, data, tail, lock } }, "fault");
  }
  if (copy !== null)
    visit(
      "Redis: restarts with the older copy",
      spend({ ...state, copy: null, redis: { ...copy, server, queued: null } }, "stale"),
      "fault",
    );
}

/** All processes go, and of what was not synced any part: each file, name and frame for itself. */
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
