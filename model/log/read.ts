/**
 * READ: `readCommands`, `check` and `observed` of log-hook.ts. The reply is a step of its own, because it may come
 * late.
 */
import type { Visit } from "../explorer.ts";
import { connected, enterState } from "./enter.ts";
import { abandon, append, sees, waitFor } from "./writer.ts";
import { lastIn, look, tailAfter } from "./redis.ts";
import { above, type Run } from "./runs.ts";
import { isSealed } from "./store.ts";
import {
  again,
  breaks,
  finished,
  promise,
  withLane,
  type LaneState,
  type LogState,
  type ProcessState,
  type RedisState,
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
  if (lane.stage === "idle") send(world, state, p, l, key, who, visit);
  if (lane.stage === "read") takeReply(world, state, p, l, key, who, visit);
  if (lane.stage === "look") lookForClaim(world, state, p, l, who, visit);
  if (lane.stage !== "appending") return;
  const { writer } = process;
  if (writer?.epoch === lane.guard?.epoch && (writer?.durable ?? -1) >= lane.n)
    visit(`${who}: answers "${lane.seen}"`, answer(state, p, l));
  else if (writer?.epoch !== lane.guard?.epoch || writer?.over)
    visit(`${who}: what was read is being restored`, again(state, p, l));
}

function send(
  world: World,
  state: LogState,
  p: number,
  l: number,
  key: string,
  who: string,
  visit: Visit<LogState>,
): void {
  const { redis, next } = connected(state, p);
  const { guard, server, replid, inherited, tail, data } = redis;
  const { writer } = next.processes[p] as ProcessState;
  const stale = Array.from(state.ghost.promised).some((tx) => world.keyOf.get(tx) === key && !data.includes(tx));
  const where = server === state.redis.server ? "" : " on the old server";
  visit(
    `${who}: MULTI guard, key, tail${where}`,
    withLane(next, p, l, {
      stage: "read",
      guard,
      server,
      // What tells whether the guard is fine comes in the same reply; the sign of the number stands for `inherited`.
      replid: inherited ? -replid : replid,
      before: writer !== null && writer.epoch === guard?.epoch ? writer.seen : -1,
      place: tail.last,
      version: tail.entries.length,
      reply: tailAfter(redis, writer),
      seen: look(world, redis, key).value,
      stale,
    }),
  );
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
  const lane = state.processes[p]?.lanes[l] as LaneState;
  const { guard, reply } = lane;
  const entered = enterState(world, state, p, shown(lane));
  if (entered === "wait") return visit(`${who}: waits for the state`, again(state, p, l));
  if (!("guard" in entered)) return visit(`${who}: ${entered.why}`, again(entered.next, p, l));
  const { epoch } = entered.guard;
  if (world.decisions.isBehind(lane.place, lane.before))
    return visit(`${who}: commit ${lane.place} is below what it has seen`, again(abandon(state, p, epoch), p, l));
  const ready = sees(entered.next, p, epoch, lane.place);
  const writer = ready.processes[p]?.writer as WriterState;
  const others = above(reply, writer.enqueued);
  const writesKey = (run: Run): boolean => Array.from(run.txs).some((tx) => world.keyOf.get(tx) === key);
  const isPending = [writer.waiting, writer.writing].some((run) => run !== null && writesKey(run));
  switch (world.decisions.readWaitsFor(writesKey(others), isPending)) {
    case "nothing":
      return visit(`${who}: nothing that it saw is on its way`, withLane(ready, p, l, { stage: "look" }));
    case "the tail": {
      const last = lastIn(others, 0);
      return visit(
        `${who}: appends the tail up to ${last}`,
        waitFor(append(ready, p, entered.guard, others, last), p, l, "appending", last),
      );
    }
    case "own appends":
      return visit(
        `${who}: waits for own appends up to ${writer.enqueued}`,
        waitFor(ready, p, l, "appending", writer.enqueued),
      );
  }

  /** What the reply tells of the server. */
  function shown({ server, replid, place, version }: LaneState): RedisState {
    const tail = { epoch: guard?.epoch ?? 0, last: place, entries: ".".repeat(version) };
    return { server, replid: Math.abs(replid), inherited: replid < 0, guard, data: "", tail, lock: null, queued: null };
  }
}

/** Only now: whoever claims later restores later, and what was answered before that is not older than anything. */
function lookForClaim(world: World, state: LogState, p: number, l: number, who: string, visit: Visit<LogState>): void {
  const { guard, seen } = state.processes[p]?.lanes[l] as LaneState;
  const epoch = guard?.epoch ?? 0;
  if (isSealed(state.store, epoch) && !world.flaws.has("read looks for no claim"))
    return visit(`${who}: finds the claim on epoch ${epoch + 1}`, again(abandon(state, p, epoch), p, l));
  visit(`${who}: finds no claim on epoch ${epoch + 1}, answers "${seen}"`, answer(state, p, l));
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
