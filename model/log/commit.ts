/** COMMIT and RESOLVE: log-hook.ts of the layer, and settle.ts of redis-occ for a lost reply. */
import type { Visit } from "../explorer.ts";
import { append, newWriter, waitFor } from "./writer.ts";
import { execute, isGuardFine, lastIn, look, mayExecute, sameGuard, tailAfter } from "./redis.ts";
import { joined, NOTHING } from "./runs.ts";
import { startRecovery } from "./recovery.ts";
import { decidedHistory, isRecorded, syncFolder } from "./store.ts";
import {
  again,
  deny,
  finished,
  promise,
  withLane,
  withProcess,
  type Guard,
  type LaneState,
  type LogState,
  type ProcessState,
} from "./state.ts";
import { isLeft, nameOf, spend, type Operation, type World } from "./world.ts";

interface Place {
  readonly world: World;
  readonly state: LogState;
  readonly p: number;
  readonly l: number;
  readonly process: ProcessState;
  readonly lane: LaneState;
  readonly operation: Operation;
  readonly visit: Visit<LogState>;
  /** "A commits a". */
  readonly who: string;
}

export function commitSteps(
  world: World,
  state: LogState,
  p: number,
  l: number,
  operation: Operation,
  visit: Visit<LogState>,
): void {
  const process = state.processes[p] as ProcessState;
  const place: Place = {
    world,
    state,
    p,
    l,
    process,
    lane: process.lanes[l] as LaneState,
    operation,
    visit,
    who: `${nameOf(world, p, l)} (commit ${operation.tx})`,
  };
  STAGES[place.lane.stage]?.(place);
}

const STAGES: Partial<Record<LaneState["stage"], (place: Place) => void>> = {
  idle: watch,
  decided: exec,
  executed: takeReply,
  "second read": secondRead,
  appending: awaitAppend,
  recalled: awaitAppend,
  lost: settleLost,
  recall,
  resolving: resolve,
  "half done": deleteGuard,
};

function watch({ world, state, p, l, process, operation, visit, who }: Place): void {
  const { guard, server } = state.redis;
  const move =
    guard !== null && isGuardFine(world, state)
      ? world.decisions.judgeWriter(process.writer ?? undefined, guard.epoch)
      : "restore";
  if (move === "restore") {
    if (process.recovery === null)
      visit(
        `${who}: the state has to be restored`,
        startRecovery(state, p, process.writer?.over ? process.writer.epoch : 0),
      );
    return;
  }
  const ready =
    move === "replace"
      ? withProcess(state, p, { writer: newWriter(world, (guard as Guard).epoch, process.writer) })
      : state;
  const { version } = look(world, state.redis, operation.key);
  visit(`${who}: WATCH, read, decide`, withLane(ready, p, l, { stage: "decided", guard, server, version }));
}

function exec({ world, state, p, l, process, lane, operation, visit, who }: Place): void {
  const { redis } = state;
  const guard = lane.guard as Guard;
  if (redis.server !== lane.server)
    return visit(`${who}: the connection is broken, nothing was sent`, again(state, p, l));
  const sent = { guard, tx: operation.tx, version: lane.version };
  if (isLeft(state, "reply") && redis.queued === null) {
    const queued = { ...state, redis: { ...redis, queued: sent } };
    visit(
      `${who}: EXEC is sent, the connection breaks while the server has it in a buffer`,
      spend(withLane(queued, p, l, { stage: "lost" }), "reply"),
      "fault",
    );
  }
  if (!mayExecute(world, redis, sent)) return visit(`${who}: EXEC finds a conflict`, again(state, p, l));
  if (isLeft(state, "half")) {
    const half = { ...state, redis: { ...redis, data: redis.data + operation.tx } };
    visit(
      `${who}: EXEC fails half way, after SET and before XADD`,
      spend(withLane(half, p, l, { stage: "half done" }), "half"),
      "fault",
    );
  }
  const writer = process.writer?.epoch === guard.epoch ? process.writer : null;
  const done = execute(state, operation.tx, writer?.durable ?? -1);
  const reply = tailAfter(redis, writer);
  const n = done.redis.tail.last;
  const blind = world.flaws.has("tail fetched by a second read");
  visit(
    `${who}: EXEC gives it number ${n} of epoch ${guard.epoch}`,
    withLane(done, p, l, { stage: "executed", n, reply: blind ? NOTHING : reply }),
  );
}

function takeReply({ world, state, p, l, lane, operation, visit, who }: Place): void {
  const gone = state.redis.server !== lane.server;
  if (isLeft(state, "reply") || gone) {
    const lost = withLane(state, p, l, { stage: "lost", n: -1, reply: NOTHING });
    if (gone) visit(`${who}: the reply of EXEC was lost with the server`, lost);
    else visit(`${who}: the reply of EXEC is lost`, spend(lost, "reply"), "fault");
  }
  if (world.flaws.has("tail fetched by a second read"))
    return visit(`${who}: the reply tells its number`, withLane(state, p, l, { stage: "second read" }));
  const entries = joined(lane.reply, { from: lane.n, txs: operation.tx });
  visit(
    `${who}: the reply comes, append up to ${lane.n}`,
    waitFor(append(state, p, lane.guard as Guard, entries, lane.n), p, l, "appending", lane.n),
  );
}

/** Mutant: by now the tail may be another one. */
function secondRead({ state, p, l, process, lane, operation, visit, who }: Place): void {
  const rest = tailAfter(state.redis, process.writer);
  const below = { from: rest.from, txs: rest.txs.slice(0, Math.max(0, lane.n - rest.from)) };
  const entries = joined(below.txs === "" ? NOTHING : below, { from: lane.n, txs: operation.tx });
  visit(
    `${who}: reads the tail, append up to ${lane.n}`,
    waitFor(append(state, p, lane.guard as Guard, entries, lane.n), p, l, "appending", lane.n),
  );
}

function awaitAppend({ world, state, p, l, process, lane, operation, visit, who }: Place): void {
  const guard = lane.guard as Guard;
  const { writer } = process;
  if (writer?.epoch === guard.epoch && writer.durable >= lane.n)
    return visit(`${who}: answers 200`, finished(promise(state, operation.tx), p, l));
  if (writer?.epoch === guard.epoch && !writer.over) return;
  if (world.flaws.has("denied before it is decided"))
    return visit(`${who}: the append failed, answers 503 at once`, finished(deny(state, operation.tx), p, l));
  // A recalled transaction is looked for by its name: it does not know its number.
  visit(
    `${who}: the append failed or came too late`,
    withLane(state, p, l, { stage: "resolving", n: lane.stage === "recalled" ? -1 : lane.n }),
  );
}

/** The fence is touched and the marker read in one MULTI. */
function settleLost({ world, state, p, l, lane, operation, visit, who }: Place): void {
  const { redis } = state;
  const fenced =
    world.flaws.has("marker without fence") || redis.queued?.tx !== operation.tx
      ? state
      : { ...state, redis: { ...redis, queued: null } };
  const verdict = world.decisions.judgeLostExec(
    redis.server === lane.server
      ? { sameHookValues: sameGuard(redis.guard, lane.guard), markerSet: redis.data.includes(operation.tx) }
      : null,
  );
  if (verdict === "not run")
    return visit(
      `${who}: the marker says that it did not run, answers 503`,
      finished(deny(fenced, operation.tx), p, l),
    );
  if (verdict === "ran")
    return visit(`${who}: the marker says that it ran`, withLane(fenced, p, l, { stage: "recall" }));
  visit(`${who}: the server cannot tell whether it ran`, withLane(fenced, p, l, { stage: "resolving" }));
}

function recall({ state, p, l, process, lane, visit, who }: Place): void {
  const guard = lane.guard as Guard;
  const { writer } = process;
  if (
    !sameGuard(state.redis.guard, guard) ||
    state.redis.server !== lane.server ||
    writer?.epoch !== guard.epoch ||
    writer.over
  ) {
    return visit(`${who}: the state that it ran on is gone`, withLane(state, p, l, { stage: "resolving" }));
  }
  const entries = tailAfter(state.redis, writer);
  const upTo = lastIn(entries, Math.max(0, writer.enqueued));
  visit(
    `${who}: appends the tail up to ${upTo}`,
    waitFor(append(state, p, guard, entries, upTo), p, l, "recalled", upTo),
  );
}

function resolve({ world, state, p, l, process, lane, operation, visit, who }: Place): void {
  const { epoch } = lane.guard as Guard;
  const history = decidedHistory(state.store, epoch, world.decisions);
  if (history === null) {
    if (process.recovery === null)
      visit(`${who}: what became of epoch ${epoch} is not decided, recover`, startRecovery(state, p, epoch));
    return;
  }
  const recorded = isRecorded(state.store, { epoch, n: lane.n, tx: operation.tx }, history);
  // Another process's beginning may still be on its way to the disk: its name is synced before an answer rests on it.
  const firm = world.flaws.has("undurable begin believed") ? state : { ...state, store: syncFolder(state.store) };
  if (recorded === null)
    return visit(`${who}: nobody can say whether it is in the history, answers that`, finished(firm, p, l));
  if (recorded) return visit(`${who}: it is in the history, answers 200`, finished(promise(firm, operation.tx), p, l));
  visit(`${who}: it is not in the history, answers 503`, finished(deny(firm, operation.tx), p, l));
}

function deleteGuard({ world, state, p, l, lane, visit, who }: Place): void {
  const keep = world.flaws.has("half an EXEC is kept") || !sameGuard(state.redis.guard, lane.guard);
  const redis = keep ? state.redis : { ...state.redis, guard: null };
  visit(
    `${who}: ${keep ? "leaves" : "deletes"} the guard`,
    withLane({ ...state, redis }, p, l, { stage: "resolving" }),
  );
}
