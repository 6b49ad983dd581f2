/**
 * The decisions of the protocol, as pure functions: what a guard is worth, which epochs make up the history, whether a
 * commit is part of it. Nothing here reads, writes or waits.
 */
import type { Position } from "./record.ts";
import type { Begin } from "./store.ts";

/** Present in Redis exactly while the state is: names the epoch, the server process that it was restored into, and the log. */
export interface Guard {
  readonly epoch: number;
  readonly run_id: string;
  readonly store: string;
}

/** The guard as Redis holds it; null where there is none or it is not readable. */
export function parseGuard(text: string | null): Guard | null {
  if (text === null) return null;
  try {
    const { epoch, run_id, store } = JSON.parse(text) as Partial<Guard>;
    return typeof epoch === "number" && typeof run_id === "string" && typeof store === "string" ? { epoch, run_id, store } : null;
  } catch {
    return null;
  }
}

/**
 * Whether the state behind a guard can be worked on. A restarted server is never obeyed, whatever it holds: a copy put
 * back can have reached the same commit number with other content.
 * - `fine`: go on
 * - `restore`: the state is missing, half restored, or of another server process
 * - `foreign`: the state belongs to another log
 */
export function judgeGuard(guard: Guard | null, here: { readonly runId: string; readonly store: string }): "fine" | "restore" | "foreign" {
  if (guard === null) return "restore";
  if (guard.store !== here.store) return "foreign";
  return guard.run_id === here.runId ? "fine" : "restore";
}

/** One epoch's part of the history: its commits after `from` up to and including `to`. */
export interface Stretch {
  readonly epoch: number;
  readonly from: number;
  /** Infinity for the last epoch: up to its last commit before a hole. */
  readonly to: number;
}

/** The highest epoch that has begun; 0 where none has. */
export function lastBegun(begins: ReadonlyMap<number, Begin>): number {
  return Math.max(0, ...begins.keys());
}

/**
 * The history that ends with `last`, oldest epoch first. An epoch that was claimed and never begun, or that a later one
 * passed over, is no part of it.
 * @returns null where the chain is broken: an epoch refers to one whose beginning is lost
 */
export function chain(begins: ReadonlyMap<number, Begin>, last: number): Stretch[] | null {
  const stretches: Stretch[] = [];
  let to = Infinity;
  for (let epoch = last; epoch !== 0; ) {
    const begin = begins.get(epoch);
    if (begin === undefined || begin.parent >= epoch || begin.cut > to) return null;
    stretches.unshift({ epoch, from: begin.cut, to });
    to = begin.cut;
    epoch = begin.parent;
  }
  return to === 0 || stretches.length === 0 ? stretches : null;
}

/**
 * What of a history comes after a snapshot.
 * @returns null where the snapshot's commit is no part of it
 */
export function after(history: readonly Stretch[], snapshot: Position | null): Stretch[] | null {
  if (snapshot === null) return [...history];
  const { epoch, n } = snapshot;
  const own = history.findIndex((stretch) => stretch.epoch === epoch);
  const stretch = history[own];
  if (stretch === undefined || n < stretch.from || n > stretch.to) return null;
  return [{ ...stretch, from: n }, ...history.slice(own + 1)].filter(({ from, to }) => from < to);
}

/**
 * Whether it is decided for good what an epoch holds: a later one has begun, and that one is not sealed itself. Whoever
 * claims from then on sees that beginning and goes on from it. A beginning below the highest claim decides nothing: the
 * claimant may have looked before it was there, and cut the epoch elsewhere.
 * @param last the last epoch that had begun
 * @param sealed whether `last` was sealed, looked up after the beginnings were read
 */
export function isDecided(epoch: number, last: number, sealed: boolean): boolean {
  return last > epoch && !sealed;
}

/** Whether a commit is part of a history. Final where its epoch is decided. */
export function isInHistory({ epoch, n }: Position, history: readonly Stretch[]): boolean {
  const stretch = history.find((candidate) => candidate.epoch === epoch);
  return stretch !== undefined && n > stretch.from && n <= stretch.to;
}
