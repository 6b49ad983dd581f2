/** The log store of the model: what each of LogStore's methods does, and what the log says to whoever reads it. */
import {
  after,
  chain as chained,
  goesOnBehind,
  isInHistory,
  lastBegun,
  type Stretch,
} from "../../layers/log-replay/src/protocol.ts";
import { covers, lastOf, txAt, type Run } from "./runs.ts";
import type { Decisions } from "./decisions.ts";
import type { BeginRecord, Frame, Snapshot, StoreState } from "./state.ts";

export function isSealed(store: StoreState, epoch: number): boolean {
  return store.claims > epoch;
}

export function beginsOf({ begins }: StoreState, durably = false): Map<number, BeginRecord> {
  const map = new Map<number, BeginRecord>();
  begins.forEach((begin, epoch) => {
    if (begin !== null && (begin.synced || !durably)) map.set(epoch, begin);
  });
  return map;
}

/** Frames that say only what a durable one says are left out: they make no difference to anybody. */
export function withFrame(store: StoreState, frame: Frame): StoreState {
  if (frame.txs === "" || store.frames.some((other) => saysMore(other, frame))) return store;
  const kept = store.frames.filter((other) => !saysMore(frame, other));
  return { ...store, frames: [...kept, frame].sort(inOrder) };
}

/** The order of frames means nothing. It only makes equal states look equal. */
export function inOrder(a: Frame, b: Frame): number {
  return (
    a.epoch - b.epoch ||
    a.from - b.from ||
    (a.txs < b.txs ? -1 : a.txs > b.txs ? 1 : Number(a.synced) - Number(b.synced))
  );
}

function saysMore(a: Frame, b: Frame): boolean {
  return (
    a.epoch === b.epoch &&
    (a.synced || !b.synced) &&
    covers(a, b) &&
    (a.synced || (a.from === b.from && a.txs === b.txs))
  );
}

export function syncFrame(store: StoreState, frame: Run & { readonly epoch: number }): StoreState {
  const { epoch, from, txs } = frame;
  return withFrame(store, { epoch, from, txs, synced: true });
}

export function syncEpoch(store: StoreState, epoch: number): StoreState {
  return store.frames.filter((frame) => frame.epoch === epoch).reduce(syncFrame, store);
}

/** Syncing the folder makes every name in it durable, whoever made it. */
export function syncFolder(store: StoreState): StoreState {
  const begins = store.begins.map((begin) => (begin === null || begin.synced ? begin : { ...begin, synced: true }));
  const furthest = furthestSnapshot(store);
  return {
    ...store,
    claimsSynced: store.claims,
    begins,
    snapshots: furthest === null ? [] : [{ ...furthest, synced: true }],
  };
}

/** A durable snapshot makes superfluous those that do not reach further. */
export function withSnapshot(store: StoreState, snapshot: Snapshot): StoreState {
  const isFurther = (a: Snapshot, b: Snapshot): boolean => a.data.length > b.data.length;
  if (store.snapshots.some((other) => other.synced && !isFurther(snapshot, other))) return store;
  const kept = store.snapshots.filter(
    (other) => isFurther(other, snapshot) || (isFurther(snapshot, other) && !snapshot.synced),
  );
  return { ...store, snapshots: [...kept, snapshot].sort((a, b) => a.data.length - b.data.length) };
}

export function furthestSnapshot({ snapshots }: StoreState, durably = false): Snapshot | null {
  return snapshots.findLast(({ synced }) => synced || !durably) ?? null;
}

export function withBegin(store: StoreState, epoch: number, begin: BeginRecord): StoreState {
  const begins = [...store.begins];
  while (begins.length <= epoch) begins.push(null);
  begins[epoch] = begin;
  return { ...store, begins };
}

export interface History {
  readonly txs: string;
  /** The last commit's number. */
  readonly end: number;
  readonly parent: number;
  readonly stretches: readonly Stretch[];
}

export interface ReadOptions {
  /** The epoch that the history ends with; default: the last begun one. */
  readonly last?: number;
  /** Only what a power loss would leave. */
  readonly durably?: boolean;
  readonly chain?: Decisions["chain"];
  /** The snapshot that the reader goes by; default: the furthest. */
  readonly snapshot?: Omit<Snapshot, "synced"> | null;
}

/** The history that a recovery finds, or a text if it finds damage. */
export function readHistory(
  store: StoreState,
  { last, durably = false, chain = chained, snapshot = furthestSnapshot(store, durably) }: ReadOptions = {},
): History | string {
  const begins = beginsOf(store, durably);
  const parent = last ?? lastBegun(begins);
  const whole = chain(begins, parent);
  if (whole === null) return `the chain of epochs below ${parent} is broken`;
  const stretches = after(whole, snapshot === null ? null : { epoch: snapshot.epoch, n: snapshot.data.length });
  if (stretches === null) return "the snapshot's commit is not in the history that the beginnings tell";
  let txs = snapshot?.data ?? "";
  let end = txs.length;
  for (const stretch of stretches) {
    const { to } = stretch;
    const frames = store.frames.filter(({ epoch, synced }) => epoch === stretch.epoch && (synced || !durably));
    for (end = stretch.from; end < to; end++) {
      const tx = agreedTx(frames, end + 1);
      if (tx === "disagree") return `two segments of epoch ${stretch.epoch} disagree about commit ${end + 1}`;
      if (tx === undefined) break;
      txs += tx;
    }
    const beyond = goesOnBehind(end + 1, to, nextAbove(frames, end));
    if (beyond !== null)
      return `commit ${end + 1} of epoch ${stretch.epoch} is missing, and the log goes on to commit ${beyond}`;
  }
  return { txs, end, parent, stretches };
}

/** The first commit above `end` that is there; Infinity if none is. */
function nextAbove(frames: readonly Frame[], end: number): number {
  const last = Math.max(0, ...frames.map(lastOf));
  for (let n = end + 1; n <= last; n++) if (frames.some((frame) => txAt(frame, n) !== undefined)) return n;
  return Infinity;
}

/** What the frames say about a commit; "disagree" if two differ. */
function agreedTx(frames: readonly Frame[], n: number): string | undefined {
  let agreed: string | undefined;
  for (const frame of frames) {
    const tx = txAt(frame, n);
    if (tx === undefined) continue;
    if (agreed !== undefined && agreed !== tx) return "disagree";
    agreed = tx;
  }
  return agreed;
}

/** The history that says for good what became of an epoch; null if that is not decided yet. */
export function decidedHistory(
  store: StoreState,
  epoch: number,
  { isDecided, chain }: Decisions,
): readonly Stretch[] | null {
  const begins = beginsOf(store);
  const last = lastBegun(begins);
  if (!isDecided(epoch, last, last > 0 && isSealed(store, last))) return null;
  return chain(begins, last) ?? [];
}

/**
 * Whether a transaction's record is in a decided history: by its number where it is known, else by looking for its name.
 * @returns null if nobody can say, because it may be in a snapshot, which knows no names
 */
export function isRecorded(
  store: StoreState,
  { epoch, n, tx }: { readonly epoch: number; readonly n: number; readonly tx: string },
  history: readonly Stretch[],
): boolean | null {
  if (n >= 0) return isInHistory({ epoch, n }, history);
  const found = store.frames.some(
    (frame) =>
      frame.epoch === epoch &&
      Array.from(frame.txs).some((name, i) => name === tx && isInHistory({ epoch, n: frame.from + i }, history)),
  );
  return !found && epoch <= (furthestSnapshot(store)?.epoch ?? 0) ? null : found;
}
