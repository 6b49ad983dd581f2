/** What tells two states apart: everything in a state is in it. */
import type { Encoding } from "../encoding.ts";
import { LANE_STAGES, RECOVERY_STAGES, type Guard, type LaneState, type LogState, type ProcessState, type RecoveryState, type StoreState, type WriterState } from "./state.ts";
import type { Run } from "./runs.ts";

export function encode({ redis, copy, store, processes, ghost, budget }: LogState, into: Encoding): void {
  const { server, guard, data, tail, lock, queued } = redis;
  into.number(server);
  encodeGuard(guard, into);
  into.text(data);
  into.number(tail.epoch);
  into.number(tail.last);
  into.text(tail.entries);
  into.number(lock ?? -1);
  into.text(queued === null ? "" : queued.tx);
  if (queued !== null) {
    encodeGuard(queued.guard, into);
    into.number(queued.version);
  }
  into.number(copy === null ? 0 : 1);
  if (copy !== null) {
    encodeGuard(copy.guard, into);
    into.text(copy.data);
    into.number(copy.tail.epoch);
    into.number(copy.tail.last);
    into.text(copy.tail.entries);
    into.number(copy.lock ?? -1);
  }
  encodeStore(store, into);
  for (const process of processes) encodeProcess(process, into);
  into.text(ghost.promised);
  into.text(ghost.denied);
  into.number(ghost.saw.length);
  for (const seen of ghost.saw) into.text(seen);
  into.text(ghost.broken?.what ?? "");
  for (const left of budget) into.number(left);
}

function encodeGuard(guard: Guard | null, into: Encoding): void {
  into.number(guard?.epoch ?? -1);
  into.number(guard?.server ?? -1);
}

function encodeRun(run: Run, into: Encoding): void {
  into.number(run.from);
  into.text(run.txs);
}

function encodeStore({ claims, claimsSynced, begins, frames, snapshots }: StoreState, into: Encoding): void {
  into.number(claims);
  into.number(claimsSynced);
  into.number(begins.length);
  for (const begin of begins) {
    into.number(begin === null ? -1 : begin.parent);
    into.number(begin === null ? -1 : begin.cut);
    into.number(begin?.synced ? 1 : 0);
  }
  into.number(frames.length);
  for (const frame of frames) {
    into.number(frame.epoch);
    encodeRun(frame, into);
    into.number(frame.synced ? 1 : 0);
  }
  into.number(snapshots.length);
  for (const snapshot of snapshots) {
    into.number(snapshot.epoch);
    into.text(snapshot.data);
    into.number(snapshot.synced ? 1 : 0);
  }
}

function encodeProcess({ writer, recovery, lanes }: ProcessState, into: Encoding): void {
  into.number(writer === null ? 0 : 1);
  if (writer !== null) encodeWriter(writer, into);
  into.number(recovery === null ? 0 : 1);
  if (recovery !== null) encodeRecovery(recovery, into);
  for (const lane of lanes) encodeLane(lane, into);
}

function encodeWriter({ epoch, over, enqueued, durable, waiting, writing }: WriterState, into: Encoding): void {
  into.number(epoch);
  into.number(over ? 1 : 0);
  into.number(enqueued);
  into.number(durable);
  into.number(waiting?.upTo ?? -1);
  if (waiting !== null) encodeRun(waiting, into);
  into.number(writing?.upTo ?? -1);
  if (writing === null) return;
  encodeRun(writing, into);
  into.number(writing.stage === "synced" ? 1 : 0);
}

function encodeRecovery({ stage, over, server, epoch, parent, cut, history, applied, snapshot }: RecoveryState, into: Encoding): void {
  into.number(RECOVERY_STAGES.indexOf(stage));
  into.number(over);
  into.number(server);
  into.number(epoch);
  into.number(parent);
  into.number(cut);
  into.text(history);
  into.number(applied);
  into.number(snapshot);
}

function encodeLane({ done, stage, guard, server, version, n, reply, seen, stale }: LaneState, into: Encoding): void {
  into.number(done);
  into.number(LANE_STAGES.indexOf(stage));
  encodeGuard(guard, into);
  into.number(server);
  into.number(version);
  into.number(n);
  encodeRun(reply, into);
  into.text(seen);
  into.number(stale ? 1 : 0);
}
