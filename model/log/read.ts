/** READ: `readCommands`, `check` and `observed` of log-hook.ts. The reply is a step of its own: it may come late. */
import type { Visit } from "../explorer.ts";
import { append, newWriter, waitFor } from "./writer.ts";
import { isGuardFine, lastIn, look, tailAfter } from "./redis.ts";
import { above, type Run } from "./runs.ts";
import { startRecovery } from "./recovery.ts";
import {
  again,
  breaks,
  finished,
  promise,
  withLane,
  withProcess,
  type Guard,
  type LaneState,
  type LogState,
  type ProcessState,
  type WriterState,
} from "./state.ts";
import { nameOf, type Operation, type World } from "./world.ts";

export function readSteps(
  world: World,
  state: LogState,
  p: number,
  l: number,
  { key }: Operation,
  visit: Visit<LogState>,
): void {
  const process = state.processes[p] as ProcessState;
  const lane = process.lanes[l] as LaneState;
  const who = `${nameOf(world, p, l)} (read ${key})`;
  if (lane.stage === "idle") visit(`${who}: MULTI guard, key, tail`, send(world, state, p, l, key));
  if (lane.stage === "read") takeReply(world, state, p, l, key, who, visit);
  if (lane.stage !== "appending") return;
  const { writer } = process;
  if (writer?.epoch === lane.guard?.epoch && (writer?.durable ?? -1) >= lane.n)
    visit(`${who}: answers "${lane.seen}"`, answer(state, p, l));
  else if (writer?.epoch !== lane.guard?.epoch || writer?.over)
    visit(`${who}: what was read is being restored`, again(state, p, l));
}

function send(world: World, state: LogState, p: number, l: number, key: string): LogState {
  const { redis, ghost } = state;
  const { writer } = state.processes[p] as ProcessState;
  const stale = Array.from(ghost.promised).some((tx) => world.keyOf.get(tx) === key && !redis.data.includes(tx));
  return withLane(state, p, l, {
    stage: "read",
    guard: isGuardFine(world, state) ? redis.guard : null,
    server: redis.server,
    reply: tailAfter(redis, writer),
    seen: look(world, redis, key).value,
    stale,
  });
}

function takeReply(
  world: World,
  state: LogState,
  p: number,
  l: number,
  key: string,
  who: string,
  visit: Visit<LogState>,
): void {
  const process = state.processes[p] as ProcessState;
  const { guard, reply } = process.lanes[l] as LaneState;
  const move = guard === null ? "restore" : world.decisions.judgeWriter(process.writer ?? undefined, guard.epoch);
  if (move === "restore") {
    const over = process.writer?.over ? process.writer.epoch : 0;
    const next = again(state, p, l);
    visit(`${who}: the state has to be restored`, process.recovery === null ? startRecovery(next, p, over) : next);
    return;
  }
  const held = guard as Guard;
  const ready =
    move === "replace" ? withProcess(state, p, { writer: newWriter(world, held.epoch, process.writer) }) : state;
  const writer = ready.processes[p]?.writer as WriterState;
  const others = above(reply, writer.enqueued);
  const writesKey = (run: Run): boolean => Array.from(run.txs).some((tx) => world.keyOf.get(tx) === key);
  const isPending = [writer.waiting, writer.writing].some((run) => run !== null && writesKey(run));
  switch (world.decisions.readWaitsFor(writesKey(others), isPending)) {
    case "nothing":
      return visit(
        `${who}: nothing that it saw is on its way, answers "${process.lanes[l]?.seen}"`,
        answer(ready, p, l),
      );
    case "the tail": {
      const last = lastIn(others, 0);
      return visit(
        `${who}: appends the tail up to ${last}`,
        waitFor(append(ready, p, held, others, last), p, l, "appending", last),
      );
    }
    case "own appends":
      return visit(
        `${who}: waits for own appends up to ${writer.enqueued}`,
        waitFor(ready, p, l, "appending", writer.enqueued),
      );
  }
}

function answer(state: LogState, p: number, l: number): LogState {
  const { seen, stale } = state.processes[p]?.lanes[l] as LaneState;
  const next = finished(promise(state, seen), p, l);
  return stale
    ? breaks(
        next,
        "4 no write on missing state",
        `the read answered "${seen}", which is older than what had been answered before it was sent`,
      )
    : next;
}
