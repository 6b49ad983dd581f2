/** States as text, for the set of those seen. Everything in a state is in it. */
import type { LaneState, LogState, ProcessState, RecoveryState, StoreState, WriterState } from "./state.ts";

/** Emptied now and then; a WeakMap would empty itself, and takes most of the run's time for that. */
const encodings = new Map<object, string>();
const MAX_CACHED = 2_000;

/** Parts are shared by many states: each is encoded once, or nearly. */
function once<T extends object>(part: T, encodePart: (part: T) => string): string {
  let text = encodings.get(part);
  if (text === undefined) {
    if (encodings.size >= MAX_CACHED) encodings.clear();
    encodings.set(part, (text = encodePart(part)));
  }
  return text;
}

export function encode({ redis, copy, store, processes, ghost, budget }: LogState): string {
  const { server, guard, data, tail, lock, queued } = redis;
  let text = `${server}|${guard?.epoch},${guard?.server}|${data}|${tail.epoch},${tail.last},${tail.entries}|${lock}|`;
  if (queued !== null) text += `${queued.tx}${queued.guard.epoch},${queued.version}`;
  if (copy !== null) text += `/${copy.guard?.epoch},${copy.guard?.server}|${copy.data}|${copy.tail.epoch},${copy.tail.last},${copy.tail.entries}|${copy.lock}`;
  text += once(store, encodeStore);
  for (const process of processes) text += once(process, encodeProcess);
  return `${text}#${ghost.promised}|${ghost.denied}|${ghost.saw.join()}|${ghost.broken?.what}|${budget.join("")}`;
}

function encodeStore({ claims, claimsSynced, begins, frames, snapshot }: StoreState): string {
  let text = `#${claims},${claimsSynced}`;
  for (const begin of begins) text += begin === null ? ";" : `;${begin.parent},${begin.cut},${begin.synced}`;
  for (const frame of frames) text += `/${frame.epoch},${frame.from},${frame.txs},${frame.synced}`;
  return snapshot === null ? text : `${text}=${snapshot.epoch},${snapshot.data}`;
}

function encodeProcess({ writer, recovery, lanes }: ProcessState): string {
  return `#${writer === null ? "" : encodeWriter(writer)}~${recovery === null ? "" : encodeRecovery(recovery)}~${lanes.map(encodeLane).join("~")}`;
}

function encodeWriter({ epoch, over, enqueued, durable, waiting, writing }: WriterState): string {
  const text = `${epoch},${over},${enqueued},${durable}`;
  return `${text}/${waiting && `${waiting.from},${waiting.txs},${waiting.upTo}`}/${writing && `${writing.from},${writing.txs},${writing.upTo},${writing.stage}`}`;
}

function encodeRecovery({ stage, over, server, epoch, parent, cut, history, applied, snapshot }: RecoveryState): string {
  return `${stage},${over},${server},${epoch},${parent},${cut},${history},${applied},${snapshot}`;
}

function encodeLane({ done, stage, guard, server, version, n, reply, seen, stale }: LaneState): string {
  return `${done},${stage},${guard?.epoch},${guard?.server},${server},${version},${n},${reply.from},${reply.txs},${seen},${stale}`;
}
