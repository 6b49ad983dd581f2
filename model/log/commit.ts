/** COMMIT and RESOLVE: log-hook.ts of the layer, and fence-off.ts of redis-occ for a lost reply. */
import type { Visit } from "../explorer.ts";
import { abandon, append, isTaken, sees, waitFor } from "./writer.ts";
import { enter } from "./enter.ts";
import { execute, lastIn, look, mayExecute, sameGuard, tailAfter } from "./redis.ts";
import { joined, NOTHING } from "./runs.ts";
import { startRecovery } from "./recovery.ts";
import { beginsOf, decidedHistory, isRecorded, syncFolder } from "./store.ts";
import {
  again,
  deny,
  finished,
  promise,
  serverOf,
  withLane,
  withServer,
  type Guard,
  type LaneState,
  type LogState,
  type ProcessState,
} from "./state.ts";
import { lastBegun } from "../../layers/log-replay/src/protocol.ts";
import { isLeft, nameOf, spend, type Operation, type World } from "./world.ts";

interface Context {
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
  const context: Context = {
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
  STAGES[context.lane.stage]?.(context);
}

const STAGES: Partial<Record<LaneState["stage"], (context: Context) => void>> = {
  idle: watch,
  decided: exec,
  executed: takeReply,
  "second read": secondRead,
  appending: awaitAppend,
  recalled: awaitAppend,
  lost: judgeLost,
  recall,
  resolving: resolve,
};

function watch({ world, state, p, l, operation, visit, who }: Context): void {
  const entered = enter(world, state, p);
  if (typeof entered === "string") return;
  if (!("guard" in entered)) return visit(`${who}: ${entered.why}`, entered.next);
  const { guard, redis, next } = entered;
  const seen = next.processes[p]?.writer?.seen ?? -1;
  if (world.decisions.isBehind(redis.tail.last, seen))
    return visit(`${who}: commit ${redis.tail.last} is below what it has seen`, abandon(next, p, guard.epoch));
  const { server, replid } = redis;
  const { version } = look(world, redis, operation.key);
  visit(
    `${who}: WATCH, read, decide${server === state.redis.server ? "" : " on the old server"}`,
    withLane(next, p, l, { stage: "decided", guard, server, replid, version }),
  );
}

function exec({ world, state, p, l, process, lane, operation, visit, who }: Context): void {
  const redis = serverOf(state, lane.server);
  const guard = lane.guard as Guard;
  if (redis === null) return visit(`${who}: the connection is broken, nothing was sent`, again(state, p, l));
  const writer = process.writer?.epoch === guard.epoch ? process.writer : null;
  const before = writer?.seen ?? -1;
  const sent = { guard, replid: lane.replid, before, tx: operation.tx, version: lane.version };
  if (isLeft(state, "reply") && redis.queued === null) {
    const queued = withServer(state, { ...redis, queued: sent });
    visit(
      `${who}: EXEC is sent, the connection breaks while the server has it in a buffer`,
      spend(withLane(queued, p, l, { stage: "lost" }), "reply"),
      "fault",
    );
  }
  if (!mayExecute(world, redis, sent)) return visit(`${who}: EXEC finds a conflict`, again(state, p, l));
  if (isLeft(state, "half")) {
    const kept = world.flaws.has("half an EXEC is kept");
    const half = withServer(state, { ...redis, data: redis.data + operation.tx, guard: kept ? guard : null });
    visit(
      `${who}: EXEC fails half way, after SET and before XADD${kept ? "" : "; deletes the guard"}`,
      spend(withLane(half, p, l, { stage: "resolving" }), "half"),
      "fault",
    );
  }
  const done = execute(state, redis, operation.tx, writer?.durable ?? -1);
  const reply = tailAfter(redis, writer);
  const n = redis.tail.last + 1;
  const blind = world.flaws.has("tail fetched by a second read");
  visit(
    `${who}: EXEC gives it number ${n} of epoch ${guard.epoch}`,
    withLane(done, p, l, { stage: "executed", n, before, reply: blind ? NOTHING : reply }),
  );
}

function takeReply({ world, state, p, l, process, lane, operation, visit, who }: Context): void {
  const gone = serverOf(state, lane.server) === null;
  if (isLeft(state, "reply") || gone) {
    const lost = withLane(state, p, l, { stage: "lost", n: -1, reply: NOTHING });
    if (gone) visit(`${who}: the reply of EXEC was lost with the server`, lost);
    else visit(`${who}: the reply of EXEC is lost`, spend(lost, "reply"), "fault");
  }
  if (world.flaws.has("tail fetched by a second read"))
    return visit(`${who}: the reply tells its number`, withLane(state, p, l, { stage: "second read" }));
  const { epoch } = lane.guard as Guard;
  const entries = joined(lane.reply, { from: lane.n, txs: operation.tx });
  const writer = process.writer?.epoch === epoch ? process.writer : null;
  const behind = world.decisions.isBehind(lane.n - 1, lane.before);
  const taken = writer !== null && !world.flaws.has("taken number is durable") && isTaken(writer, entries);
  if (behind || taken) {
    const why = behind ? `number ${lane.n} is below what it has seen` : `number ${lane.n} has gone to another one`;
    return visit(
      `${who}: ${why}`,
      withLane(abandon(state, p, epoch), p, l, { stage: "resolving", n: -1, reply: NOTHING }),
    );
  }
  visit(
    `${who}: the reply comes, append up to ${lane.n}`,
    waitFor(append(sees(state, p, epoch, lane.n), p, lane.guard as Guard, entries, lane.n), p, l, "appending", lane.n),
  );
}

/** Mutant: by now the tail may be another one. */
function secondRead({ state, p, l, process, lane, operation, visit, who }: Context): void {
  const rest = tailAfter(serverOf(state, lane.server) ?? state.redis, process.writer);
  const below = { from: rest.from, txs: rest.txs.slice(0, Math.max(0, lane.n - rest.from)) };
  const entries = joined(below.txs === "" ? NOTHING : below, { from: lane.n, txs: operation.tx });
  visit(
    `${who}: reads the tail, append up to ${lane.n}`,
    waitFor(append(state, p, lane.guard as Guard, entries, lane.n), p, l, "appending", lane.n),
  );
}

function awaitAppend({ world, state, p, l, process, lane, operation, visit, who }: Context): void {
  const guard = lane.guard as Guard;
  const { writer } = process;
  if (writer?.epoch === guard.epoch && writer.durable >= lane.n)
    return visit(`${who}: answers 200`, finished(promise(state, operation.tx), p, l));
  if (writer?.epoch === guard.epoch && !writer.over) return;
  if (world.flaws.has("denied before it is decided"))
    return visit(`${who}: the append failed, answers 503 at once`, finished(deny(state, operation.tx), p, l));
  // A recalled transaction is looked for by its name, because it does not know its number.
  visit(
    `${who}: the append failed or came too late`,
    withLane(state, p, l, { stage: "resolving", n: lane.stage === "recalled" ? -1 : lane.n }),
  );
}

/** The fence is touched and the marker read in one MULTI, over a connection to where connections lead now. */
function judgeLost({ world, state, p, l, lane, operation, visit, who }: Context): void {
  const redis = serverOf(state, (state.processes[p] as ProcessState).at) ?? state.redis;
  const isQueued = redis.queued?.tx === operation.tx && !world.flaws.has("marker without fence");
  const fenced = isQueued ? withServer(state, { ...redis, queued: null }) : state;
  const told = {
    sameHookValues: sameGuard(redis.guard, lane.guard) && redis.replid === lane.replid,
    markerSet: redis.data.includes(operation.tx),
  };
  const verdict = world.decisions.judgeLostExec(redis.server === lane.server ? told : null);
  if (verdict === "not run")
    return visit(
      `${who}: the marker says that it did not run, answers 503`,
      finished(deny(fenced, operation.tx), p, l),
    );
  if (verdict === "ran")
    return visit(`${who}: the marker says that it ran`, withLane(fenced, p, l, { stage: "recall" }));
  visit(`${who}: the server cannot tell whether it ran`, withLane(fenced, p, l, { stage: "resolving" }));
}

function recall({ state, p, l, process, lane, visit, who }: Context): void {
  const guard = lane.guard as Guard;
  const { writer } = process;
  const redis = serverOf(state, lane.server);
  const isSame = redis !== null && sameGuard(redis.guard, guard) && redis.replid === lane.replid;
  if (!isSame || writer?.epoch !== guard.epoch || writer.over) {
    return visit(`${who}: the state that it ran on is gone`, withLane(state, p, l, { stage: "resolving" }));
  }
  const entries = tailAfter(redis, writer);
  const upTo = lastIn(entries, Math.max(0, writer.enqueued));
  visit(
    `${who}: appends the tail up to ${upTo}`,
    waitFor(append(state, p, guard, entries, upTo), p, l, "recalled", upTo),
  );
}

function resolve({ world, state, p, l, process, lane, operation, visit, who }: Context): void {
  const { epoch } = lane.guard as Guard;
  const history = decidedHistory(state.store, epoch, world.decisions);
  if (history === null) {
    // A later epoch that has begun is sealed itself, which a recovery does not see in its guard.
    const isContent = world.flaws.has("resolved by any later guard");
    const over = isContent ? epoch : Math.max(epoch, lastBegun(beginsOf(state.store)));
    if (process.recovery === null)
      visit(`${who}: what became of epoch ${epoch} is not decided, recover`, startRecovery(state, p, over));
    return;
  }
  const recorded = isRecorded(state.store, { epoch, n: lane.n, tx: operation.tx }, history);
  // Another process's begin may still be on its way to the disk, so its name is synced before an answer rests on it.
  const firm = world.flaws.has("undurable begin believed") ? state : { ...state, store: syncFolder(state.store) };
  if (recorded === null)
    return visit(`${who}: nobody can say whether it is in the history, answers that`, finished(firm, p, l));
  if (recorded) return visit(`${who}: it is in the history, answers 200`, finished(promise(firm, operation.tx), p, l));
  visit(`${who}: it is not in the history, answers 503`, finished(deny(firm, operation.tx), p, l));
}
