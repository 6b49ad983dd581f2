import type { LoadResult } from "./load.ts";

/** What is told of a measured load. */
export interface Figures {
  /** Requests a second, counting only those that were answered 200 and turned out to be true. */
  readonly perSecond: number;
  /** Milliseconds by percentile, of all requests that were answered. */
  readonly latency: Readonly<Record<Percentile, number>>;
  /** How many answers had each status; 0 for none. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly clientLoad: number;
}

export const PERCENTILES = ["p50", "p90", "p99", "p99.9", "max"] as const;
export type Percentile = (typeof PERCENTILES)[number];
const SHARES: Readonly<Record<Percentile, number>> = { p50: 0.5, p90: 0.9, p99: 0.99, "p99.9": 0.999, max: 1 };

/** @param counted how many of the 200s turned out to be true */
export function figures({ seconds, statuses, latencies, clientLoad }: LoadResult, counted: number): Figures {
  const sorted = latencies.filter((_, i) => statuses[i] !== 0).sort((a, b) => a - b);
  const counts: Record<string, number> = {};
  for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1;
  const latency = Object.fromEntries(PERCENTILES.map((name) => [name, at(sorted, SHARES[name])])) as Record<
    Percentile,
    number
  >;
  return { perSecond: counted / seconds, latency, statuses: counts, clientLoad };
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/** The median of each figure over several rounds; the statuses of all rounds together. */
export function medianFigures(rounds: readonly Figures[]): Figures {
  const statuses: Record<string, number> = {};
  for (const round of rounds)
    for (const [status, count] of Object.entries(round.statuses)) statuses[status] = (statuses[status] ?? 0) + count;
  return {
    perSecond: median(rounds.map((round) => round.perSecond)),
    latency: Object.fromEntries(
      PERCENTILES.map((name) => [name, median(rounds.map(({ latency }) => latency[name]))]),
    ) as Record<Percentile, number>,
    statuses,
    clientLoad: median(rounds.map((round) => round.clientLoad)),
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? NaN)
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}
