/** Transactions with consecutive commit numbers, the first one's number being `from`. A dot stands for one that is missing. */
export interface Run {
  readonly from: number;
  readonly txs: string;
}

export const NOTHING: Run = { from: 0, txs: "" };

export function lastOf({ from, txs }: Run): number {
  return from + txs.length - 1;
}

export function txAt({ from, txs }: Run, n: number): string | undefined {
  const tx = n >= from ? txs[n - from] : undefined;
  return tx === "." ? undefined : tx;
}

/** What is above commit `n`. */
export function above(run: Run, n: number): Run {
  const skip = n + 1 - run.from;
  if (run.txs === "" || skip <= 0) return run;
  return skip >= run.txs.length ? NOTHING : { from: n + 1, txs: run.txs.slice(skip) };
}

/** Two runs as one frame; `second` begins above the end of `first`. */
export function joined(first: Run, second: Run): Run {
  if (first.txs === "") return second;
  if (second.txs === "") return first;
  return { from: first.from, txs: first.txs + ".".repeat(Math.max(0, second.from - lastOf(first) - 1)) + second.txs };
}

/** True where `whole` has everything that `part` has. */
export function covers(whole: Run, part: Run): boolean {
  for (let n = part.from; n <= lastOf(part); n++) {
    const tx = txAt(part, n);
    if (tx !== undefined && txAt(whole, n) !== tx) return false;
  }
  return true;
}
