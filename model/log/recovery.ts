/** RECOVER: recovery.ts, restore-lock.ts, survey.ts and replay.ts of the layer. */
import type { Visit } from "../explorer.ts";
import { compare, EMPTY, judge } from "./redis.ts";
import { beginsOf, furthestSnapshot, isSealed, readHistory, syncEpoch, syncFolder, withBegin } from "./store.ts";
import {
  breaks,
  serverOf,
  withProcess,
  withServer,
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
    replid: 0,
    writes: 0,
    epoch: 0,
    parent: 0,
    cut: 0,
    history: "",
    applied: 0,
    snapshot: 0,
  };
  return withProcess(state, p, { recovery });
}

interface Context {
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
  const context: Context = {
    world,
    state,
    p,
    recovery,
    visit,
    who: `${nameOf(world, p)} (restore)`,
    to: (change, parts) => withProcess({ ...state, ...parts }, p, { recovery: { ...recovery, ...change } }),
  };
  STAGES[recovery.stage](context);
}

const STAGES: Record<RecoveryState["stage"], (context: Context) => void> = {
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

/** The server that it works on; null where its connection is broken. */
function serverAt({ state, recovery }: Context): RedisState | null {
  return serverOf(state, recovery.server);
}

/** Gives up; whoever needs the state starts over. If the connection still stands, the lock is released. */
function giveUp(context: Context): LogState {
  const { state, p, recovery } = context;
  const redis = serverAt(context);
  const release = redis !== null && holds(redis, context) && recovery.stage !== "lock";
  return withProcess(release ? withServer(state, { ...redis, lock: null }) : state, p, { recovery: null });
}

/** The state is there: connections that lead elsewhere are closed, and nobody waits any more. */
function conclude(context: Context, state: LogState): LogState {
  const { world, p, recovery } = context;
  const process = state.processes[p] as ProcessState;
  const keeps = process.at === recovery.server || world.flaws.has("connections to another server are kept");
  return withProcess(state, p, { recovery: null, ...(keeps ? {} : { at: recovery.server, compared: false }) });
}

/** Its token is in the lock, as its last write left it. */
function holds({ lock }: RedisState, { world, p, recovery }: Context): boolean {
  const isCurrent = lock?.writes === recovery.writes || world.flaws.has("writes of a restore are not counted");
  return lock?.holder === p && isCurrent;
}

/** As far as Redis can tell: whoever works in an epoch that is over finds the claim. */
function isFine({ world, state, recovery }: Context, redis: RedisState): boolean {
  const { guard } = redis;
  if (guard === null || judge(world, state.store, redis) !== "fine") return false;
  return world.decisions.mayStay(guard.epoch, false, recovery.over);
}

/** It watches what it looks at, so looking and taking is one step. */
function takeLock(context: Context): void {
  const { state, p, visit, who } = context;
  const redis = serverAt(context);
  if (redis === null) return visit(`${who}: the connection is broken`, giveUp(context));
  if (isFine(context, redis))
    return visit(`${who}: somebody else has restored epoch ${redis.guard?.epoch}`, conclude(context, state));
  if (redis.lock !== null) return;
  const locked = { ...redis, lock: { holder: p, writes: 0 } };
  const recovery: RecoveryState = { ...context.recovery, stage: "inspect", replid: redis.replid };
  visit(`${who}: takes the lock`, withProcess(withServer(state, locked), p, { recovery }));
}

function inspect(context: Context): void {
  const { world, state, recovery, visit, who, to } = context;
  const redis = serverAt(context);
  if (redis === null) return visit(`${who}: the connection is broken`, giveUp(context));
  const { guard } = redis;
  const positions = guard === null ? "in step" : compare(world, state.store, redis);
  // Whoever has put the older log there has to take it away.
  if (positions === "older log") return;
  const isRenamed = guard !== null && judge(world, state.store, redis) === "compare" && positions === "in step";
  if (isRenamed && world.decisions.mayStay(guard.epoch, isSealed(state.store, guard.epoch), recovery.over)) {
    if (!holds(redis, context)) return visit(`${who}: the lock is lost`, giveUp(context));
    const named = { ...redis, guard: { ...guard, replid: redis.replid }, lock: null };
    return visit(
      `${who}: the history has a new name, writes it into the guard`,
      conclude(context, withServer(state, named)),
    );
  }
  const epoch = world.decisions.nextEpoch(state.store.claims);
  visit(
    `${who}: the state is missing, older, or its epoch is over; epoch ${epoch} is the next one`,
    to({ stage: world.flaws.has("survey before the claim") ? "survey" : "claim", epoch }),
  );
}

function claim(context: Context): void {
  const { world, state, recovery, visit, who, to } = context;
  const { claims } = state.store;
  if (world.flaws.has("epoch chosen after the seal")) {
    // The seal says "no more below", not who comes next, so it can be made any number of times.
    const sealed = { ...state.store, claims: Math.max(claims, lastBegunEpoch(state.store) + 1) };
    return visit(
      `${who}: seals all epochs up to ${sealed.claims - 1}`,
      to({ stage: "choose" }, { store: { ...sealed, claimsSynced: sealed.claims } }),
    );
  }
  const { epoch } = recovery;
  if (claims >= epoch) return visit(`${who}: finds epoch ${epoch} claimed by somebody else`, giveUp(context));
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
function choose({ state, visit, who, to }: Context): void {
  const epoch = lastBegunEpoch(state.store) + 1;
  visit(`${who}: chooses ${epoch} for the next epoch`, to({ stage: "survey", epoch }));
}

function syncClaim({ world, state, recovery, visit, who, to }: Context): void {
  visit(
    `${who}: the claim on epoch ${recovery.epoch} is durable`,
    to({ stage: nextAfterClaim(world) }, { store: syncFolder(state.store) }),
  );
}

/** If nobody compacts, looking for the snapshot and reading the log is one step. */
function survey(context: Context): void {
  const { world, state, visit, who, to } = context;
  if (!world.compacts) return read(context);
  const snapshot = furthestSnapshot(state.store);
  visit(
    `${who}: reads ${snapshot === null ? "that there is no snapshot" : `the snapshot "${snapshot.data}"`}`,
    to({ stage: "read", snapshot: snapshot?.epoch ?? 0, history: snapshot?.data ?? "" }),
  );
}

function read(context: Context): void {
  const { world, state, recovery, visit, who, to } = context;
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
      breaks(giveUp(context), "2 the log is a prefix", `nothing was damaged, and the restore finds damage: ${history}`),
    );
  const { txs, end, parent } = history;
  const synced = world.flaws.has("survey does not sync") ? store : syncFolder(syncEpoch(store, parent));
  const stage = world.flaws.has("survey before the claim") ? "claim" : "begin";
  visit(
    `${who}: reads and syncs the log up to commit ${end} of epoch ${parent}`,
    to({ stage, parent, cut: end, history: txs }, { store: synced }),
  );
}

function writeBegin({ world, state, recovery, visit, who, to }: Context): void {
  const { epoch, parent, cut } = recovery;
  const store = withBegin(state.store, epoch, { parent, cut, synced: !world.power });
  const stage = world.power && !world.flaws.has("begin not synced") ? "begin sync" : nextAfterBegin(world);
  visit(`${who}: writes that epoch ${epoch} goes on from commit ${cut} of epoch ${parent}`, to({ stage }, { store }));
}

const nextAfterBegin = (world: World): RecoveryState["stage"] =>
  world.flaws.has("replay without wipe") ? "chunk" : "wipe";

function syncBegin({ world, state, recovery, visit, who, to }: Context): void {
  visit(
    `${who}: the beginning of epoch ${recovery.epoch} is durable`,
    to({ stage: nextAfterBegin(world) }, { store: syncFolder(state.store) }),
  );
}

/**
 * The server as one of its MULTIs finds it: over its connection, while its token is in the lock, and the data are of the same
 * history. Null where it does not run.
 */
function writable(context: Context): RedisState | null {
  const { world, state, recovery } = context;
  const survives = world.flaws.has("replay survives its connection");
  const redis = serverAt(context) ?? (survives ? state.redis : null);
  if (redis === null) return null;
  const locked = holds(redis, context) || world.flaws.has("replay without token") || (survives && redis.lock === null);
  const same = redis.replid === recovery.replid || survives;
  return locked && same ? redis : null;
}

/** A write under the lock. */
function write(context: Context, redis: RedisState, change: Partial<RecoveryState>): LogState {
  const { state, p, recovery } = context;
  const writes = recovery.writes + 1;
  const lock = redis.lock?.holder === p ? { holder: p, writes } : redis.lock;
  return withProcess(withServer(state, { ...redis, lock }), p, { recovery: { ...recovery, ...change, writes } });
}

function wipe(context: Context): void {
  const { world, recovery, visit, who } = context;
  const redis = writable(context);
  if (redis === null) return visit(`${who}: the lock or the connection is lost`, giveUp(context));
  const { server, replid, inherited, lock } = redis;
  const { epoch, cut } = recovery;
  const wiped = { ...EMPTY, server, replid, inherited, lock };
  if (world.flaws.has("guard before the state")) {
    const early = { guard: { epoch, server, replid }, tail: { epoch, last: cut, entries: "" } };
    return visit(
      `${who}: wipes, and sets the guard of epoch ${epoch}`,
      write(context, { ...wiped, ...early }, { stage: "chunk" }),
    );
  }
  visit(`${who}: wipes`, write(context, wiped, { stage: "chunk" }));
}

/** Two chunks, if there is enough for two. */
function applyChunk(context: Context): void {
  const { recovery, visit, who } = context;
  const redis = writable(context);
  if (redis === null) return visit(`${who}: the lock or the connection is lost`, giveUp(context));
  const upTo = recovery.applied === 0 ? Math.ceil(recovery.history.length / 2) : recovery.history.length;
  const data = redis.data + recovery.history.slice(recovery.applied, upTo);
  const stage = upTo === recovery.history.length ? "final" : "chunk";
  visit(`${who}: restores up to commit ${upTo}`, write(context, { ...redis, data }, { stage, applied: upTo }));
}

function finish(context: Context): void {
  const { world, state, p, recovery, visit, who } = context;
  const redis = writable(context);
  if (redis === null) return visit(`${who}: the lock or the connection is lost`, giveUp(context));
  const { epoch, cut } = recovery;
  const { server, replid } = redis;
  if (world.flaws.has("guard before the state"))
    return visit(`${who}: drops the lock`, conclude(context, withServer(state, { ...redis, lock: null })));
  const others = world.flaws.has("replay without token") && redis.lock?.holder !== p;
  const restored: RedisState = {
    ...redis,
    guard: { epoch, server, replid },
    tail: { epoch, last: cut, entries: "" },
    lock: others ? redis.lock : null,
  };
  const next = conclude(context, withServer(state, restored));
  const expected = readHistory(state.store, { last: epoch });
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
