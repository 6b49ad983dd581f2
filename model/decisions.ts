/**
 * Decisions that the layers make inside of functions which also read, write or wait. The model takes them from here, and
 * from here only, until the layer has them as pure functions; each names the place that it stands for.
 */
import type { Stretch } from "../layers/log-replay/src/protocol.ts";
import type { Begin } from "../layers/log-replay/src/store.ts";

/** log-replay/src/recovery.ts, `restoreUnder`: whether a state whose guard is fine has to be restored all the same. */
export function mayStay(guardEpoch: number, sealed: boolean, overEpoch: number): boolean {
  return !sealed && guardEpoch > overEpoch;
}

/** log-replay/src/log-hook.ts, `check`: what a process does that comes upon a guard which is fine. */
export function enter(guardEpoch: number, writer: { readonly epoch: number; readonly over: boolean } | null): "go on" | "enter" | "restore" {
  if (writer === null || writer.epoch < guardEpoch) return "enter";
  // An older epoch than its own: what was read is a reply that came late, of a state that is gone.
  if (writer.epoch > guardEpoch || writer.over) return "restore";
  return "go on";
}

/** log-replay/src/log-hook.ts, `observed`: what a read waits for before it is answered. */
export function readWaitsFor(touched: boolean, pending: boolean): "nothing" | "the tail" | "own appends" {
  if (touched) return "the tail";
  return pending ? "own appends" : "nothing";
}

/** redis-occ/src/settle.ts, `askMarker`: what the server says about an EXEC whose reply was lost, once its fence is touched. */
export function settleLostExec(sameServer: boolean, sameGuard: boolean, markerSet: boolean): "ran" | "not run" | "unknown" {
  if (!sameServer || !sameGuard) return "unknown";
  return markerSet ? "ran" : "not run";
}

/** log-replay/src/recovery.ts, `claimNext`: the epoch to claim. Epochs are claimed without a gap. */
export function nextEpoch(highestClaim: number): number {
  return highestClaim + 1;
}

/**
 * log-replay/src/history.ts, `readStretch`: how far a stretch goes on without a hole.
 * @param to Infinity for the last epoch
 * @param ends the last commit of each frame
 * @param txAt what the frames say about a commit; "disagree" where two differ
 * @returns a text where the log is damaged
 */
export function endWithoutHole(from: number, to: number, ends: readonly number[], txAt: (n: number) => string | undefined): { readonly txs: string; readonly end: number } | string {
  let txs = "";
  let end = from;
  for (; end < to; end++) {
    const tx = txAt(end + 1);
    if (tx === "disagree") return `two segments disagree about commit ${end + 1}`;
    if (tx === undefined) break;
    txs += tx;
  }
  const beyond = to === Infinity ? Math.max(0, ...ends) : to;
  return end < beyond ? `commit ${end + 1} is missing, and the log goes on to commit ${beyond}` : { txs, end };
}

/** The folded history: all below the beginning of `epoch`, which goes on from commit `cut`. */
export interface Fold {
  readonly epoch: number;
  readonly cut: number;
}

/**
 * To be written with compaction: the stretches above a snapshot. The snapshot's epoch is a root like the first one was.
 * @returns null where the chain is broken, or does not go through the snapshot's epoch
 */
export function chainAbove(
  begins: ReadonlyMap<number, Begin>,
  last: number,
  fold: Fold | null,
  chain: (begins: ReadonlyMap<number, Begin>, last: number) => Stretch[] | null,
): Stretch[] | null {
  if (fold === null) return chain(begins, last);
  const above = new Map([...begins].filter(([epoch]) => epoch > fold.epoch));
  // The chain ends at commit 0 of a root; this one begins at the snapshot's cut.
  above.set(fold.epoch, { parent: 0, cut: 0 });
  const stretches = chain(above, last);
  if (stretches?.[0]?.epoch !== fold.epoch) return null;
  return [{ ...stretches[0], from: fold.cut }, ...stretches.slice(1)];
}

/** To be written with compaction: only what is decided for good may be folded. `last` is the last begun epoch. */
export function mayCompact(last: number, sealed: boolean, foldedUpTo: number): boolean {
  return last > foldedUpTo && !sealed;
}

/**
 * order/saga-driver.ts, `run`: which steps have to be undone. A refused step has left its own marker; only those before
 * it have an effect.
 * @param attempted the last one first
 */
export function undoAfter<Step>(attempted: readonly Step[], refused: boolean): readonly Step[] {
  return refused ? attempted.slice(1) : attempted;
}
