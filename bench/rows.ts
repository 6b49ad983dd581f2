import type { Target } from "./target.ts";
import type { Load } from "./load/load.ts";
import { type Figures, median, medianFigures } from "./load/figures.ts";

export type Unit = "/s" | "s" | "MB" | "%";

/** How something went on: numbers of each kind, one after the other. */
export interface Timeline {
  /** Seconds between two of them. */
  readonly every: number;
  readonly series: Readonly<Record<string, readonly number[]>>;
}

/** One thing that was measured, in one round on one target. */
export interface Row {
  /** The same words in every round and for every target. */
  readonly what: string;
  readonly value: number;
  readonly unit: Unit;
  readonly figures?: Figures;
  /** For a picture; of what is measured once. */
  readonly timeline?: Timeline;
  /** What else was counted. */
  readonly note?: string;
  /** What was answered and turned out not to be true, in any of the rounds. */
  readonly untrue?: string;
}

export interface Bench {
  readonly target: Target;
  readonly load: Load;
  /** Multiplies the number of requests of each round. */
  readonly scale: number;
  /** Connections of the closed loops. */
  readonly connections: readonly number[];
  /** Requests a second of the open loop; without it, 70 % of what the closed loop reached before. */
  readonly rate: number | undefined;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** True where it looks at the processes, Redis servers and logs of a shop, and so needs one that the benchmark started. */
  readonly needsOwn?: boolean;
  /** True if it runs once, however many rounds there are, because what it does to the target is too much to repeat. */
  readonly once?: boolean;
  /** One round on one target. @throws Error where it cannot be measured */
  run(bench: Bench): Promise<readonly Row[]>;
}

/** The rounds of one thing on one target, as medians. */
export function medianRow(rounds: readonly Row[]): Row {
  const [first] = rounds;
  if (first === undefined) throw new Error("no round was run");
  const measured = rounds.flatMap(({ figures }) => figures ?? []);
  const untrue = rounds.find((round) => round.untrue !== undefined)?.untrue;
  return {
    ...first,
    value: median(rounds.map(({ value }) => value)),
    ...(measured.length > 0 ? { figures: medianFigures(measured) } : {}),
    ...(rounds.at(-1)?.note === undefined ? {} : { note: rounds.at(-1)?.note ?? "" }),
    ...(untrue === undefined ? {} : { untrue }),
  };
}
