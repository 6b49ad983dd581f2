/** RECOVER: recovery.ts, restore-lock.ts, survey.ts and replay.ts of the layer. */
import type { Visit } from "../explorer.ts";
import { EMPTY, isGuardFine } from "./redis.ts";
import { beginsOf, furthestSnapshot, isSealed, readHistory, syncEpoch, syncFolder, withBegin } from "./store.ts";
import {
  breaks,
  withProcess,
  type LogState,
  type ProcessState,
  type RecoveryState,
  type RedisState,
  type StoreState,
} from "./state.ts";
import { nameOf, type World } from "./world.ts";

export function startRecovery(state: LogState, p: number, over: number): LogState {
  const recovery: RecoveryState = {
    stage: "lock",
    over,
    server: state.redis.server,
    epoch: 0,
    parent: 0,
    cut: 0,
    history: "",
    applied: 0,
    snapshot: 0,
  };
  return withProcess(state, p, { recovery });
}

interface Place {
  readonly world: World;
  readonly state: LogState;
  readonly p: number;
  readonly recovery: RecoveryState;
  readonly visit: Visit<LogState>;
  readonly who: string;
  /** The recovery as it goes on, with what it changed. */
  readonly to: (
    change: Partial<RecoveryState>,
    parts?: { readonly redis?: RedisState; readonly store?: StoreState },
  ) => LogState;
}

export function recoverySteps(world: World, state: LogState, p: number, visit: Visit<LogState>): void {
  const { recovery } = state.processes[p] as ProcessState;
  if (recovery === null) return;
  const place: Place = {
    world,
    state,
    p,
    recovery,
    visit,
    who: `${nameOf(world, p)} (restore)`,
    to: (change, parts) => withProcess({ ...state, ...parts }, p, { recovery: { ...recovery, ...change } }),
  };
  STAGES[recovery.stage](place);
}

const STAGES: Record<RecoveryState["stage"], (place: Place) => void> = {
  lock: takeLock,
  inspect,
  claim,
  "claim sync": syncClaim,
  choose,
  survey,
  read,
  begin: writeBegin,
  "begin sync": syncBegin,
  wipe,
  chunk: applyChunk,
  final: finish,
};

/** Gives up; whoever needs the state starts over. The lock is let go of where the connection still stands. */
function giveUp({ state, p, recovery }: Place): LogState {
  const { redis } = state;
  const release = redis.server === recovery.server && redis.lock === p && recovery.stage !== "lock";
  return withProcess(release ? { ...state, redis: { ...redis, lock: null } } : state, p, { recovery: null });
}

function isFine(place: Place): boolean {
  const { world, state, recovery } = place;
  const { guard } = state.redis;
  if (guard === null || !isGuardFine(world, state)) return false;
  return world.decisions.mayStay(guard.epoch, isSealed(state.store, guard.epoch), recovery.over);
}

function takeLock(place: Place): void {
  const { state, p, recovery, visit, who, to } = place;
  const { redis } = state;
  if (redis.server !== recovery.server) return visit(`${who}: the connection is broken`, giveUp(place));
  if (redis.lock === null)
    return visit(`${who}: takes the lock`, to({ stage: "inspect" }, { redis: { ...redis, lock: p } }));
  if (isFine(place)) visit(`${who}: somebody else has restored epoch ${redis.guard?.epoch}`, giveUp(place));
}

function inspect(place: Place): void {
  const { world, state, recovery, visit, who, to } = place;
  if (state.redis.server !== recovery.server) return visit(`${who}: the connection is broken`, giveUp(place));
  if (isFine(place)) return visit(`${who}: the state is fine, lets go of the lock`, giveUp(place));
  visit(
    `${who}: the state is missing or its epoch is over`,
    to({ stage: world.flaws.has("survey before the claim") ? "survey" : "claim" }),
  );
}

function claim({ world, state, visit, who, to }: Place): void {
  const { claims } = state.store;
  if (world.flaws.has("epoch chosen after the seal")) {
    // The seal says "no more below", not who comes next: it can be made any number of times.
    const sealed = { ...state.store, claims: Math.max(claims, lastBegunEpoch(state.store) + 1) };
    return visit(
      `${who}: seals all epochs up to ${sealed.claims - 1}`,
      to({ stage: "choose" }, { store: { ...sealed, claimsSynced: sealed.claims } }),
    );
  }
  const epoch = world.decisions.nextEpoch(claims);
  const store = { ...state.store, claims: epoch, claimsSynced: world.power ? state.store.claimsSynced : epoch };
  visit(
    `${who}: claims epoch ${epoch}`,
    to({ stage: world.power ? "claim sync" : nextAfterClaim(world), epoch }, { store }),
  );
}

const lastBegunEpoch = (store: StoreState): number => Math.max(0, ...beginsOf(store).keys());
const nextAfterClaim = (world: World): RecoveryState["stage"] =>
  world.flaws.has("survey before the claim") ? "begin" : "survey";

/** Mutant: two that have sealed the same epochs choose the same number. */
function choose({ state, visit, who, to }: Place): void {
  const epoch = lastBegunEpoch(state.store) + 1;
  visit(`${who}: chooses ${epoch} for the next epoch`, to({ stage: "survey", epoch }));
}

function syncClaim({ world, state, recovery, visit, who, to }: Place): void {
  visit(
    `${who}: the claim on epoch ${recovery.epoch} is durable`,
    to({ stage: nextAfterClaim(world) }, { store: syncFolder(state.store) }),
  );
}

/** Where nobody compacts, looking for the snapshot and reading the log is one step. */
function survey(place: Place): void {
  const { world, state, visit, who, to } = place;
  if (!world.compacts) return read(place);
  const snapshot = furthestSnapshot(state.store);
  visit(
    `${who}: reads ${snapshot === null ? "that there is no snapshot" : `the snapshot "${snapshot.data}"`}`,
    to({ stage: "read", snapshot: snapshot?.epoch ?? 0, history: snapshot?.data ?? "" }),
  );
}

function read(place: Place): void {
  const { world, state, recovery, visit, who, to } = place;
  const { store } = state;
  const furthest = furthestSnapshot(store);
  const moved = world.compacts && (furthest?.data ?? "") !== recovery.history;
  if (moved && !world.flaws.has("survey over a moving snapshot"))
    return visit(`${who}: the snapshot has changed, reads again`, to({ stage: "survey" }));
  const snapshot = !world.compacts
    ? furthest
    : recovery.snapshot === 0
      ? null
      : { epoch: recovery.snapshot, data: recovery.history };
  const history = readHistory(store, { snapshot, chain: world.decisions.chain });
  if (typeof history === "string")
    return visit(
      `${who}: reads the log`,
      breaks(giveUp(place), "2 the log is a prefix", `nothing was damaged, and the restore finds damage: ${history}`),
    );
  const { txs, end, parent } = history;
  const synced = world.flaws.has("survey does not sync") ? store : syncFolder(syncEpoch(store, parent));
  const stage = world.flaws.has("survey before the claim") ? "claim" : "begin";
  visit(
    `${who}: reads and syncs the log up to commit ${end} of epoch ${parent}`,
    to({ stage, parent, cut: end, history: txs }, { store: synced }),
  );
}

function writeBegin({ world, state, recovery, visit, who, to }: Place): void {
  const { epoch, parent, cut } = recovery;
  const store = withBegin(state.store, epoch, { parent, cut, synced: !world.power });
  const stage = world.power && !world.flaws.has("begin not synced") ? "begin sync" : nextAfterBegin(world);
  visit(`${who}: writes that epoch ${epoch} goes on from commit ${cut} of epoch ${parent}`, to({ stage }, { store }));
}

const nextAfterBegin = (world: World): RecoveryState["stage"] =>
  world.flaws.has("replay without wipe") ? "chunk" : "wipe";

function syncBegin({ world, state, recovery, visit, who, to }: Place): void {
  visit(
    `${who}: the beginning of epoch ${recovery.epoch} is durable`,
    to({ stage: nextAfterBegin(world) }, { store: syncFolder(state.store) }),
  );
}

/** Whether one of its MULTIs runs: over its connection, and while its token is in the lock. */
function canWrite({ world, state, p, recovery }: Place): boolean {
  const connected = state.redis.server === recovery.server || world.flaws.has("replay survives its connection");
  const locked =
    state.redis.lock === p ||
    world.flaws.has("replay without token") ||
    (world.flaws.has("replay survives its connection") && state.redis.lock === null);
  return connected && locked;
}

function wipe(place: Place): void {
  const { world, state, recovery, visit, who, to } = place;
  if (!canWrite(place)) return visit(`${who}: the lock or the connection is lost`, giveUp(place));
  const { server, lock } = state.redis;
  const { epoch, cut } = recovery;
  if (world.flaws.has("guard before the state")) {
    const early = { guard: { epoch, server }, tail: { epoch, last: cut, entries: "" } };
    return visit(
      `${who}: wipes, and sets the guard of epoch ${epoch}`,
      to({ stage: "chunk" }, { redis: { ...EMPTY, ...early, server, lock } }),
    );
  }
  visit(`${who}: wipes`, to({ stage: "chunk" }, { redis: { ...EMPTY, server, lock } }));
}

/** Two chunks, where there is enough for two. */
function applyChunk(place: Place): void {
  const { state, recovery, visit, who, to } = place;
  if (!canWrite(place)) return visit(`${who}: the lock or the connection is lost`, giveUp(place));
  const upTo = recovery.applied === 0 ? Math.ceil(recovery.history.length / 2) : recovery.history.length;
  const data = state.redis.data + recovery.history.slice(recovery.applied, upTo);
  const stage = upTo === recovery.history.length ? "final" : "chunk";
  visit(`${who}: restores up to commit ${upTo}`, to({ stage, applied: upTo }, { redis: { ...state.redis, data } }));
}

function finish(place: Place): void {
  const { world, state, p, recovery, visit, who } = place;
  if (!canWrite(place)) return visit(`${who}: the lock or the connection is lost`, giveUp(place));
  const { epoch, cut } = recovery;
  const { redis, store } = state;
  if (world.flaws.has("guard before the state")) {
    return visit(
      `${who}: drops the lock`,
      withProcess({ ...state, redis: { ...redis, lock: null } }, p, { recovery: null }),
    );
  }
  const guard = { epoch, server: redis.server };
  const restored: LogState = {
    ...state,
    redis: {
      ...redis,
      guard,
      tail: { epoch, last: cut, entries: "" },
      lock: world.flaws.has("replay without token") && redis.lock !== p ? redis.lock : null,
    },
  };
  const next = withProcess(restored, p, { recovery: null });
  const expected = readHistory(store, { last: epoch });
  const broken = typeof expected !== "string" && expected.txs !== redis.data;
  visit(
    `${who}: sets the guard of epoch ${epoch}, drops the lock`,
    broken
      ? breaks(
          next,
          "3 replay is a function of the log",
          `"${redis.data}" was restored, the log says "${expected.txs}"`,
        )
      : next,
  );
}
