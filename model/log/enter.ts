/** `check` of log-hook.ts: what a process does with the guard that it finds, before it works with the state. */
import { compare, judge, sameGuard } from "./redis.ts";
import { startRecovery } from "./recovery.ts";
import { isSealed } from "./store.ts";
import { serverOf, withProcess, type Guard, type LogState, type ProcessState, type RedisState } from "./state.ts";
import { abandon, newWriter, sees } from "./writer.ts";
import type { World } from "./world.ts";

interface Entered {
  readonly guard: Guard;
  readonly redis: RedisState;
  readonly next: LogState;
}

/** Something has to happen first. */
interface Other {
  readonly why: string;
  readonly next: LogState;
}

/** The server that a process's next request goes to: its pool's, as long as that is there. */
export function connected(state: LogState, p: number): { readonly redis: RedisState; readonly next: LogState } {
  const { at } = state.processes[p] as ProcessState;
  const redis = serverOf(state, at);
  if (redis !== null) return { redis, next: state };
  return { redis: state.redis, next: withProcess(state, p, { at: state.redis.server, compared: false }) };
}

/** @returns "wait" if a restore is under way, or if the log is older than the state */
export function enter(world: World, state: LogState, p: number): Entered | Other | "wait" {
  const { redis, next } = connected(state, p);
  return enterState(world, next, p, redis);
}

/** @param redis as the reply shows it */
export function enterState(world: World, state: LogState, p: number, redis: RedisState): Entered | Other | "wait" {
  const process = state.processes[p] as ProcessState;
  const { guard } = redis;
  const fine = guard !== null && judge(world, state.store, redis) === "fine";
  const move = fine ? world.decisions.judgeWriter(process.writer ?? undefined, guard.epoch) : "restore";
  if (move === "restore") return restore(state, p, world.decisions.lastOver(process.writer ?? undefined));
  const held = guard as Guard;
  const ready =
    move === "replace" ? withProcess(state, p, { writer: newWriter(world, held.epoch, process.writer) }) : state;
  if (process.compared) return { guard: held, redis, next: ready };
  if (isSealed(state.store, held.epoch)) return { guard: held, redis, next: ready };
  // The reply may have come late: the positions are asked for anew.
  const live = serverOf(state, redis.server);
  if (live === null || !sameGuard(live.guard, held)) return { why: "the state is another one by now", next: state };
  switch (compare(world, state.store, live)) {
    case "older log":
      return "wait";
    case "went back":
      return restore(abandon(ready, p, held.epoch), p, held.epoch);
    case "in step":
      return {
        guard: held,
        redis,
        next: withProcess(sees(ready, p, held.epoch, live.tail.last), p, { compared: true }),
      };
  }
}

function restore(state: LogState, p: number, over: number): Other | "wait" {
  if (state.processes[p]?.recovery !== null) return "wait";
  return { why: "the state has to be restored", next: startRecovery(state, p, over) };
}
