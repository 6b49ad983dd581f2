/**
 * Processes that are asked for the same thing are interchangeable, because nothing in the protocol asks for a process's
 * number. So one is enough of the states that differ only in which process is which and in the letters of their
 * transactions.
 */
import type { Operation } from "./world.ts";

/** One way to name the processes and their transactions anew. */
export interface Symmetry {
  /** The processes in their new order. */
  readonly order: readonly number[];
  /** The new place of each process. */
  readonly places: readonly number[];
  /** The new letter of each letter; null if all stay. */
  readonly letters: ReadonlyMap<string, string> | null;
}

/** The first one leaves everything as it is. */
export function symmetriesOf(programs: readonly (readonly (readonly Operation[])[])[]): Symmetry[] {
  const kinds = programs.map((lanes) =>
    lanes.map((lane) => lane.map(({ kind, key }) => `${kind} ${key}`).join(",")).join("|"),
  );
  return permutations(programs.length)
    .filter((order) => order.every((from, to) => kinds[from] === kinds[to]))
    .map((order) => ({
      order,
      places: order.map((_, p) => order.indexOf(p)),
      letters: order.every((from, to) => from === to) ? null : lettersOf(programs, order),
    }));
}

function lettersOf(
  programs: readonly (readonly (readonly Operation[])[])[],
  order: readonly number[],
): Map<string, string> {
  const transactions = programs.map((lanes) => lanes.flat().map(({ tx }) => tx));
  return new Map(
    order.flatMap((from, to) =>
      (transactions[from] ?? []).map((tx, i): [string, string] => [tx, transactions[to]?.[i] ?? ""]),
    ),
  );
}

/** In ascending order, so that the one that changes nothing comes first. */
function permutations(length: number): number[][] {
  if (length === 0) return [[]];
  return permutations(length - 1)
    .flatMap((rest) => Array.from({ length }, (_, place) => rest.toSpliced(place, 0, length - 1)))
    .sort((a, b) => (a.join() < b.join() ? -1 : 1));
}

/** Transactions under their new letters. */
export function renamed(txs: string, { letters }: Symmetry): string {
  if (letters === null) return txs;
  let text = "";
  for (const tx of txs) text += letters.get(tx) ?? tx;
  return text;
}

/** The same for a set of transactions, whose letters are in order. */
export function renamedSet(txs: string, symmetry: Symmetry): string {
  return symmetry.letters === null ? txs : Array.from(renamed(txs, symmetry)).sort().join("");
}
