/**
 * What the model of the log's protocol knows of the world. All of it is immutable; a step makes a new state that shares
 * the parts which it leaves alone.
 *
 * A transaction is a letter. It writes one key, which its program names. The data of Redis are the transactions that
 * were executed on them, in order ("abd"), so that the whole history can be compared and not only the last values.
 */
import type { Violation } from "../explorer.ts";
import type { Invariant } from "../invariants.ts";
import type { Run } from "./runs.ts";

export interface Guard {
  readonly epoch: number;
  /** The `run_id` of the server process. */
  readonly server: number;
  /** The `master_replid` of its data. */
  readonly replid: number;
}

export interface RedisState {
  /** Stands for `run_id`: another one after each restart. */
  readonly server: number;
  /** Stands for `master_replid`: names the history of the data. */
  readonly replid: number;
  /** Whether that history goes on from another server's (`master_replid2`). */
  readonly inherited: boolean;
  readonly guard: Guard | null;
  readonly data: string;
  /** The stream's last id, and the entries that were not trimmed: those up to the last. */
  readonly tail: { readonly epoch: number; readonly last: number; readonly entries: string };
  readonly lock: Lock | null;
  /** An EXEC whose reply nobody waits for any more, and which the server may still run. */
  readonly queued: QueuedExec | null;
}

/** The token of a process, and how many writes it has made with it. */
export interface Lock {
  readonly holder: number;
  readonly writes: number;
}

export interface QueuedExec {
  readonly guard: Guard;
  readonly replid: number;
  /** The last commit that its process had seen. */
  readonly before: number;
  readonly tx: string;
  /** How many transactions on its key it had seen: WATCH. */
  readonly version: number;
}

/** A whole frame in a segment: readable or not there at all. */
export interface Frame extends Run {
  readonly epoch: number;
  /** False while only the page cache has it. */
  readonly synced: boolean;
}

export interface BeginRecord {
  readonly parent: number;
  readonly cut: number;
  readonly synced: boolean;
}

/** The history up to a commit, folded. */
export interface Snapshot {
  /** The epoch of its last commit, whose number is the data's length. */
  readonly epoch: number;
  readonly data: string;
  readonly synced: boolean;
}

export interface StoreState {
  /** Epochs 1 to `claims` are claimed. */
  readonly claims: number;
  readonly claimsSynced: number;
  /** By epoch; index 0 is never used. */
  readonly begins: readonly (BeginRecord | null)[];
  readonly frames: readonly Frame[];
  /** The furthest one last: that is the one that readers take. */
  readonly snapshots: readonly Snapshot[];
}

/** The EpochWriter of a process. Numbers are -1 where the layer has null. */
export interface WriterState {
  readonly epoch: number;
  readonly over: boolean;
  readonly enqueued: number;
  readonly durable: number;
  /** The last commit that the process has seen. */
  readonly seen: number;
  /** All that was enqueued, durable or not. */
  readonly known: Run;
  /** What is asked for and not yet being written. */
  readonly waiting: AppendRequest | null;
  /** What is being written. */
  readonly writing: (AppendRequest & { readonly stage: "written" | "synced" }) | null;
}

export interface AppendRequest extends Run {
  /** The commit up to which all is then durable; more than the run's last if the rest is durable already. */
  readonly upTo: number;
}

export const RECOVERY_STAGES = [
  "lock",
  "inspect",
  "claim",
  "claim sync",
  "choose",
  "survey",
  "read",
  "begin",
  "begin sync",
  "wipe",
  "chunk",
  "final",
] as const;

/** One restore in one process. */
export interface RecoveryState {
  readonly stage: (typeof RECOVERY_STAGES)[number];
  /** An epoch that is to end even if its state looks fine. */
  readonly over: number;
  readonly server: number;
  readonly replid: number;
  /** How many writes it has made under its lock. */
  readonly writes: number;
  readonly epoch: number;
  readonly parent: number;
  readonly cut: number;
  /** The history to restore. */
  readonly history: string;
  /** How much of it is in Redis. */
  readonly applied: number;
  /** The epoch of the snapshot that the survey began with; 0 for none. Its data is in `history` until the log is read. */
  readonly snapshot: number;
}

export const LANE_STAGES = [
  "idle",
  "decided", // WATCHed, read, and decided: EXEC comes next
  "executed", // EXEC has run, its reply is on the way
  "second read", // mutant: own number known, the tail still to be fetched
  "appending", // waits until the log has it
  "lost", // the reply of EXEC will never come
  "recall", // the marker says that it ran: append the tail
  "recalled", // waits until the log has that tail
  "resolving", // only a recovery can say what became of it
  "read", // the reply of a read is on the way
  "look", // nothing that a read saw is on its way to the log: it looks for a claim
  "folded", // a compaction has read the history
  "compact", // what it has read can no longer be cut
  "snapshot sync", // the snapshot is installed, its name not yet durable
  "delete", // the snapshot is durable, what it holds is still there
] as const;
export type LaneStage = (typeof LANE_STAGES)[number];

/** One request after the other within a process. */
export interface LaneState {
  /** How many of its program's operations are over. */
  readonly done: number;
  readonly stage: LaneStage;
  readonly guard: Guard | null;
  /** The server process at the other end of its connection. */
  readonly server: number;
  /** The history of the data that WATCH or the read saw. */
  readonly replid: number;
  /** The last commit that the process had seen when it sent its MULTI. */
  readonly before: number;
  /** The last commit of the state that a read saw. */
  readonly place: number;
  /** Transactions on its key that WATCH or the read saw. */
  readonly version: number;
  /** Its commit number; -1 where it is not known. */
  readonly n: number;
  /** The tail's entries that came with the reply. */
  readonly reply: Run;
  /** A read's value: the last transaction on its key. */
  readonly seen: string;
  /** True where a read missed something that had been answered before. */
  readonly stale: boolean;
}

export interface ProcessState {
  /** The server that its connections lead to; 0 before the first. */
  readonly at: number;
  /** Whether it has compared that server's state with the log. */
  readonly compared: boolean;
  readonly writer: WriterState | null;
  readonly recovery: RecoveryState | null;
  readonly lanes: readonly LaneState[];
}

/** What nobody in the system knows: the answers that were given, and what each commit had seen. */
export interface Ghost {
  /** Transactions that were answered, with 200 or by a read that showed them. */
  readonly promised: string;
  /** Transactions whose callers were told that they changed nothing. */
  readonly denied: string;
  /** For each executed transaction, in order of letters: itself, a colon and the data that it was executed on. */
  readonly saw: readonly string[];
  /** An invariant that a step itself broke. */
  readonly broken: Violation | null;
}

export interface LogState {
  /** The server that new connections lead to. */
  readonly redis: RedisState;
  /** The one that they led to before a failover. Whoever is connected to it still is. */
  readonly old: RedisState | null;
  /** How many histories have had a name. */
  readonly replids: number;
  /** A copy of Redis's data that was put aside. */
  readonly copy: Pick<RedisState, "guard" | "data" | "tail" | "lock"> | null;
  readonly store: StoreState;
  /** A copy of the log that was put aside. */
  readonly backup: StoreState | null;
  /** The log whose place the copy has taken, and what was promised by then. */
  readonly replaced: { readonly store: StoreState; readonly promised: string } | null;
  readonly processes: readonly ProcessState[];
  readonly ghost: Ghost;
  /** How often each fault may still happen, in the order of FAULTS. */
  readonly budget: readonly number[];
}

/** The server of that number, where it is still there. */
export function serverOf({ redis, old }: LogState, server: number): RedisState | null {
  if (redis.server === server) return redis;
  return old?.server === server ? old : null;
}

/** With a server changed that is there. */
export function withServer(state: LogState, changed: RedisState): LogState {
  return state.redis.server === changed.server ? { ...state, redis: changed } : { ...state, old: changed };
}

export const IDLE: Omit<LaneState, "done"> = {
  stage: "idle",
  guard: null,
  server: 0,
  replid: 0,
  before: -1,
  place: -1,
  version: 0,
  n: -1,
  reply: { from: 0, txs: "" },
  seen: "",
  stale: false,
};

export function withProcess(state: LogState, p: number, change: Partial<ProcessState>): LogState {
  return { ...state, processes: state.processes.map((process, i) => (i === p ? { ...process, ...change } : process)) };
}

export function withLane(state: LogState, p: number, l: number, change: Partial<LaneState>): LogState {
  const lanes = (state.processes[p] as ProcessState).lanes.map((lane, i) => (i === l ? { ...lane, ...change } : lane));
  return withProcess(state, p, { lanes });
}

/** The lane's operation is over; its next one may begin. */
export function finished(state: LogState, p: number, l: number): LogState {
  const { done } = state.processes[p]?.lanes[l] as LaneState;
  return withLane(state, p, l, { ...IDLE, done: done + 1 });
}

/** The lane's operation starts over: nothing of it has happened. */
export function again(state: LogState, p: number, l: number): LogState {
  return withLane(state, p, l, IDLE);
}

export function breaks(state: LogState, invariant: Invariant, what: string): LogState {
  return state.ghost.broken === null ? { ...state, ghost: { ...state.ghost, broken: { invariant, what } } } : state;
}

const added = (set: string, tx: string): string =>
  tx === "" || set.includes(tx) ? set : [...Array.from(set), tx].sort().join("");

/** An answer was given that rests on the transaction. */
export function promise(state: LogState, tx: string): LogState {
  return { ...state, ghost: { ...state.ghost, promised: added(state.ghost.promised, tx) } };
}

/** It was answered that the transaction changed nothing. */
export function deny(state: LogState, tx: string): LogState {
  return { ...state, ghost: { ...state.ghost, denied: added(state.ghost.denied, tx) } };
}
