/** What tells two states apart: everything in a state, under the names that a symmetry gives. */
import type { Encoding } from "../encoding.ts";
import { inOrder } from "./store.ts";
import {
  LANE_STAGES,
  RECOVERY_STAGES,
  type Guard,
  type LaneState,
  type LogState,
  type ProcessState,
  type RedisState,
  type RecoveryState,
  type StoreState,
  type WriterState,
} from "./state.ts";
import type { Run } from "./runs.ts";
import { renamed, renamedSet, type Symmetry } from "./symmetry.ts";

export function encode(state: LogState, into: Encoding, symmetry: Symmetry): void {
  const { redis, old, replids, copy, store, backup, replaced, processes, ghost, budget } = state;
  encodeRedis(redis, into, symmetry);
  into.number(old === null ? 0 : 1);
  if (old !== null) encodeRedis(old, into, symmetry);
  into.number(replids);
  into.number(copy === null ? 0 : 1);
  if (copy !== null) encodeData(copy, into, symmetry);
  encodeStore(store, into, symmetry);
  into.number(backup === null ? 0 : backup === store ? 1 : 2);
  if (backup !== null && backup !== store) encodeStore(backup, into, symmetry);
  into.number(replaced === null ? 0 : 1);
  if (replaced !== null) {
    encodeStore(replaced.store, into, symmetry);
    into.text(renamedSet(replaced.promised, symmetry));
  }
  for (const p of symmetry.order) encodeProcess(processes[p] as ProcessState, into, symmetry);
  into.text(renamedSet(ghost.promised, symmetry));
  into.text(renamedSet(ghost.denied, symmetry));
  into.number(ghost.saw.length);
  for (const saw of symmetry.letters === null ? ghost.saw : ghost.saw.map((seen) => renamed(seen, symmetry)).sort())
    into.text(saw);
  into.text(ghost.broken?.what ?? "");
  for (const left of budget) into.number(left);
}

function encodeRedis(redis: RedisState, into: Encoding, symmetry: Symmetry): void {
  const { server, replid, inherited, queued } = redis;
  into.number(server);
  into.number(inherited ? -replid : replid);
  encodeData(redis, into, symmetry);
  into.text(queued === null ? "" : renamed(queued.tx, symmetry));
  if (queued === null) return;
  encodeGuard(queued.guard, into);
  into.number(queued.replid);
  into.number(queued.before);
  into.number(queued.version);
}

function encodeData(
  data: Pick<RedisState, "guard" | "data" | "tail" | "lock">,
  into: Encoding,
  symmetry: Symmetry,
): void {
  const { guard, tail, lock } = data;
  encodeGuard(guard, into);
  into.text(renamed(data.data, symmetry));
  into.number(tail.epoch);
  into.number(tail.last);
  into.text(renamed(tail.entries, symmetry));
  into.number(lock === null ? -1 : (symmetry.places[lock.holder] as number));
  into.number(lock?.writes ?? 0);
}

function encodeGuard(guard: Guard | null, into: Encoding): void {
  into.number(guard?.epoch ?? -1);
  into.number(guard?.server ?? -1);
  into.number(guard?.replid ?? -1);
}

function encodeRun(run: Run, into: Encoding, symmetry: Symmetry): void {
  into.number(run.from);
  into.text(renamed(run.txs, symmetry));
}

function encodeStore(
  { claims, claimsSynced, begins, frames, snapshots }: StoreState,
  into: Encoding,
  symmetry: Symmetry,
): void {
  into.number(claims);
  into.number(claimsSynced);
  into.number(begins.length);
  for (const begin of begins) {
    into.number(begin === null ? -1 : begin.parent);
    into.number(begin === null ? -1 : begin.cut);
    into.number(begin?.synced ? 1 : 0);
  }
  into.number(frames.length);
  for (const frame of symmetry.letters === null
    ? frames
    : frames.map((each) => ({ ...each, txs: renamed(each.txs, symmetry) })).sort(inOrder)) {
    into.number(frame.epoch);
    into.number(frame.from);
    into.text(frame.txs);
    into.number(frame.synced ? 1 : 0);
  }
  into.number(snapshots.length);
  for (const snapshot of snapshots) {
    into.number(snapshot.epoch);
    into.text(renamed(snapshot.data, symmetry));
    into.number(snapshot.synced ? 1 : 0);
  }
}

function encodeProcess(
  { at, compared, writer, recovery, lanes }: ProcessState,
  into: Encoding,
  symmetry: Symmetry,
): void {
  into.number(compared ? -at : at);
  into.number(writer === null ? 0 : 1);
  if (writer !== null) encodeWriter(writer, into, symmetry);
  into.number(recovery === null ? 0 : 1);
  if (recovery !== null) encodeRecovery(recovery, into, symmetry);
  for (const lane of lanes) encodeLane(lane, into, symmetry);
}

function encodeWriter(
  { epoch, over, enqueued, durable, seen, known, waiting, writing }: WriterState,
  into: Encoding,
  symmetry: Symmetry,
): void {
  into.number(epoch);
  into.number(over ? 1 : 0);
  into.number(enqueued);
  into.number(durable);
  into.number(seen);
  encodeRun(known, into, symmetry);
  into.number(waiting?.upTo ?? -1);
  if (waiting !== null) encodeRun(waiting, into, symmetry);
  into.number(writing?.upTo ?? -1);
  if (writing === null) return;
  encodeRun(writing, into, symmetry);
  into.number(writing.stage === "synced" ? 1 : 0);
}

function encodeRecovery(
  { stage, over, server, replid, writes, epoch, parent, cut, history, applied, snapshot }: RecoveryState,
  into: Encoding,
  symmetry: Symmetry,
): void {
  into.number(RECOVERY_STAGES.indexOf(stage));
  into.number(over);
  into.number(server);
  into.number(replid);
  into.number(writes);
  into.number(epoch);
  into.number(parent);
  into.number(cut);
  into.text(renamed(history, symmetry));
  into.number(applied);
  into.number(snapshot);
}

function encodeLane(
  { done, stage, guard, server, replid, before, place, version, n, reply, seen, stale }: LaneState,
  into: Encoding,
  symmetry: Symmetry,
): void {
  into.number(done);
  into.number(LANE_STAGES.indexOf(stage));
  encodeGuard(guard, into);
  into.number(server);
  into.number(replid);
  into.number(before);
  into.number(place);
  into.number(version);
  into.number(n);
  encodeRun(reply, into, symmetry);
  into.text(renamed(seen, symmetry));
  into.number(stale ? 1 : 0);
}
