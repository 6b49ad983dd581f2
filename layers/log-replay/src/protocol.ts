/**
 * The decisions of the protocol, as pure functions: what a guard is worth, which epochs make up the history, whether a
 * commit is part of it. Nothing here reads, writes or waits.
 */
import type { Position } from "./format/record.ts";
import type { Begin } from "./stores/store.ts";

/**
 * Present in Redis exactly while the state is. It names the epoch, the server process that the state was restored into,
 * the history of that server's dataset, and the log.
 */
export interface Guard {
  readonly epoch: number;
  readonly run_id: string;
  /** `master_replid`, which changes with any sync from another server, and with a promotion. Older guards name none. */
  readonly replid?: string;
  readonly store: string;
}

/** The guard as Redis holds it; null if there is none or it cannot be read. */
export function parseGuard(text: string | null): Guard | null {
  if (text === null) return null;
  try {
    const { epoch, run_id, replid, store } = JSON.parse(text) as Partial<Guard>;
    if (typeof epoch !== "number" || typeof run_id !== "string" || typeof store !== "string") return null;
    return { epoch, run_id, ...(replid === undefined ? {} : { replid }), store };
  } catch {
    return null;
  }
}

/** What a connection leads to. */
export interface Dataset {
  readonly runId: string;
  /** Names the history of the data (`master_replid`). */
  readonly replid: string;
  /** Whether that history goes on from one that this server followed as a replica (`master_replid2`). */
  readonly inherited: boolean;
}

/**
 * Whether the state behind a guard can be worked on. A restarted server is never believed, whatever it holds: a copy
 * that was put back can have reached the same commit number with other content. Nor is a server that has followed
 * another one: its data may be older while a commit on its former data is still on its way to the log.
 * - `fine`: go on
 * - `compare`: the history has another name, and comes from no other server: so it is where a first replica attaches.
 *   Where the positions are in step too, the guard gets the new name
 * - `restore`: the state is missing, half restored, or of another server process or history
 * - `foreign`: the state belongs to another log
 */
export function judgeGuard(
  guard: Guard | null,
  here: Dataset & { readonly store: string },
): "fine" | "compare" | "restore" | "foreign" {
  if (guard === null) return "restore";
  if (guard.store !== here.store) return "foreign";
  if (guard.run_id !== here.runId) return "restore";
  if (guard.replid === here.replid) return "fine";
  return here.inherited ? "restore" : "compare";
}

/** How far a state has got: its last commit, and the last one that was trimmed from its tail because the log has it. */
export interface Reach {
  readonly floor: number;
  readonly last: number;
}

/**
 * Compares a state with its log, within the guard's epoch.
 * - `in step`: the log lacks at most what is still in the tail
 * - `went back`: the log has commits that the state does not have
 * - `older log`: the log lacks commits that it had
 * @param end the log's last commit, read after `floor` and before `last`
 */
export function comparePositions({ floor, last }: Reach, end: number): "in step" | "went back" | "older log" {
  if (end < floor) return "older log";
  return end > last ? "went back" : "in step";
}

/**
 * Whether a state is older than what a process has seen of it.
 * @param last the state's last commit
 * @param seen the last commit that the process knew of when it asked
 */
export function isBehind(last: number, seen: number): boolean {
  return last < seen;
}

/**
 * What a process does with its log writer when it comes upon a guard that is fine.
 * - `use`: go on with it
 * - `replace`: the guard's epoch is a new one, which takes a writer of its own
 * - `restore`: the writer's epoch is over, or what was read is a late reply of an older epoch
 */
export function judgeWriter(
  writer: { readonly epoch: number; readonly over: boolean } | undefined,
  guardEpoch: number,
): "use" | "replace" | "restore" {
  if (writer === undefined || writer.epoch < guardEpoch) return "replace";
  return writer.epoch > guardEpoch || writer.over ? "restore" : "use";
}

/**
 * The last epoch that a process knows to be over: so is any before the one that it has worked in, even if a guard of it is found. An
 * older state was put back then, or the address leads to a former server.
 */
export function lastOver(writer: { readonly epoch: number; readonly over: boolean } | undefined): number {
  if (writer === undefined) return 0;
  return writer.over ? writer.epoch : writer.epoch - 1;
}

/**
 * What a read waits for before it is answered.
 * @param touched whether a commit in the tail, beyond what this process has enqueued, wrote what was read
 * @param pending whether one that this process has enqueued may have
 */
export function readWaitsFor(touched: boolean, pending: boolean): "nothing" | "the tail" | "own appends" {
  if (touched) return "the tail";
  return pending ? "own appends" : "nothing";
}

/**
 * Whether a state whose guard is fine need not be restored.
 * @param sealed whether the guard's epoch is sealed
 * @param overEpoch an epoch that is to end even so, because an append to it has failed; 0 for none
 */
export function mayStay(guardEpoch: number, sealed: boolean, overEpoch: number): boolean {
  return !sealed && guardEpoch > overEpoch;
}

/** The epoch to claim. Epochs are claimed without a gap. */
export function nextEpoch(highestClaim: number): number {
  return highestClaim + 1;
}

/**
 * The claims that are lost: those between the lowest one that is there and `highest`. Without one of them the epoch before it would
 * be taken for one that is not over. Those below the lowest one were removed with what had been passed over, from the lowest on.
 * Nobody may make one of them again: the claim after it is not there, so its own epoch would be taken for one that is not over.
 * @param claims what is there, in any order
 * @param begun the epochs that have begun; what counts where no claim is left at all
 * @returns in ascending order
 */
export function lostClaims(claims: readonly number[], begun: Iterable<number>): number[] {
  const there = new Set(claims);
  const known = [...begun].sort((a, b) => a - b);
  const ascending = [...there].sort((a, b) => a - b);
  const lowest = ascending[0] ?? known[0] ?? 1;
  const highest = Math.max(ascending.at(-1) ?? 0, known.at(-1) ?? 0);
  const lost: number[] = [];
  for (let epoch = lowest; epoch <= highest; epoch++) if (!there.has(epoch)) lost.push(epoch);
  return lost;
}

/**
 * Whether a later epoch goes on from one before this one. Nothing in it counts, so what says how it began may have been
 * forgotten, also where records turn up in it later.
 */
export function isPassedOver(epoch: number, begins: ReadonlyMap<number, Begin>): boolean {
  for (const [later, { parent }] of begins) if (parent < epoch && epoch < later) return true;
  return false;
}

/** One epoch's part of the history: its commits after `from` up to and including `to`. */
export interface Stretch {
  readonly epoch: number;
  readonly from: number;
  /** Infinity for the last epoch: up to its last commit before a hole. */
  readonly to: number;
}

/**
 * Which of an epoch's commits the restore of epoch `next` tells the names of: those after `from`, up to `to`, with which the epoch
 * ends. 0 as `from` where it tells all.
 */
export interface RecordedCommits {
  readonly epoch: number;
  readonly next: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Whether what a restore tells is enough to say whether a commit is part of the history. Final if epoch `next` is not sealed,
 * looked up after this was read: it began before it could be told.
 * @param seen a commit that was there before it was executed; Infinity where its own number is known
 */
export function tellsOf({ next, ...recorded }: RecordedCommits, epoch: number, seen: number): boolean {
  return recorded.epoch === epoch && next > epoch && recorded.from <= seen;
}

/** The highest epoch that has begun; 0 if none has. */
export function lastBegun(begins: ReadonlyMap<number, Begin>): number {
  return Math.max(0, ...begins.keys());
}

/**
 * The history that ends with `last`, oldest epoch first. An epoch that was claimed and never begun, or that a later one
 * passed over, is no part of it.
 * @returns null if the chain is broken, because an epoch refers to one whose begin is lost
 */
export function chain(begins: ReadonlyMap<number, Begin>, last: number): Stretch[] | null {
  const stretches: Stretch[] = [];
  let to = Infinity;
  for (let epoch = last; epoch !== 0;) {
    const begin = begins.get(epoch);
    if (begin === undefined || begin.parent >= epoch || begin.cut > to) return null;
    stretches.push({ epoch, from: begin.cut, to });
    to = begin.cut;
    epoch = begin.parent;
  }
  return to === 0 || stretches.length === 0 ? stretches.reverse() : null;
}

/**
 * The epoch that the next one goes on from: the last one in which anything was committed. Later ones are passed over,
 * so that restores that failed one after the other leave nothing that has to be read for ever.
 * @param history up to its last commit
 */
export function parentOf(history: readonly Stretch[]): number {
  return (history.findLast(({ from, to }) => from < to) ?? history[0])?.epoch ?? 0;
}

/**
 * What of a history comes after a snapshot.
 * @returns null if the snapshot's commit is no part of it
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
 * Whether a stretch without commit `missing` goes on after it. A frame holds everything below it that was not durable,
 * so a crash never leaves such a hole; it means that a file is lost.
 * @param to the stretch's end
 * @param next the next commit that is there; Infinity if none is
 * @returns the commit that it goes on to; null if it may end here
 */
export function goesOnBehind(missing: number, to: number, next: number): number | null {
  const beyond = to === Infinity ? next : to;
  return missing <= beyond && beyond !== Infinity ? beyond : null;
}

/**
 * Whether the history may be folded into a snapshot up to what is durable of the last begun epoch: only if nobody can
 * cut it below that any more. Whoever claims from then on finds all that was folded.
 * @param last the last epoch that had begun
 * @param sealed whether `last` is sealed, looked up after all that is to be folded was read and synced
 */
export function mayCompact(last: number, sealed: boolean): boolean {
  return last > 0 && !sealed;
}

/**
 * Whether it is decided for good what an epoch holds: a later one has begun, and is not sealed itself. Whoever claims
 * from then on sees that begin and goes on from it. A begin below the highest claim decides nothing, because the
 * claimant may have looked before it was there, and may cut the epoch elsewhere.
 * @param last the last epoch that had begun
 * @param sealed whether `last` was sealed, looked up after the begins were read
 */
export function isDecided(epoch: number, last: number, sealed: boolean): boolean {
  return last > epoch && !sealed;
}

/** Whether a commit is part of a history. Final if its epoch is decided. */
export function isInHistory({ epoch, n }: Position, history: readonly Stretch[]): boolean {
  const stretch = history.find((candidate) => candidate.epoch === epoch);
  return stretch !== undefined && n > stretch.from && n <= stretch.to;
}
