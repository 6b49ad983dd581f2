import { parseArgs } from "node:util";
import { SCENARIOS } from "./scenarios/all.ts";
import type { Scenario } from "./rows.ts";

export interface Options {
  readonly targets: readonly string[];
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  readonly scale: number;
  readonly connections: readonly number[];
  readonly rate: number | undefined;
  /** Where the page goes; undefined for no page. */
  readonly page: string | undefined;
}

export const HELP = `npm run bench -- [options]

Measures shops side by side: every scenario on each target in turn, several rounds, medians and ratios.
Only what turned out to be true counts: each checkout that was answered 200 is read again, and stock and credit are counted.
What does not agree is said beside the figure, and the exit code is 1.

  --target T         serve (default), events, start: a shop of this project, started on a data folder of its own;
                     or NAME=URL: one that runs already, of any implementation of the same routes. WHAT IT HAS IS OVERWRITTEN.
                     May be given several times; ratios are against the first.
  --scenario S       one of the list below; may be given several times. Default: all
  --rounds N         of each scenario, default 3
  --scale X          multiplies the number of requests, default 1; below it figures are for trying only
  --connections LIST of the closed loops, default 1,10,50,200
  --rate N           checkouts a second of the open loop; default: 70 % of what the closed loops reached
  --page FILE        an HTML page with tables and plots, everything in one file
  --help

Scenarios:
${SCENARIOS.map(({ name, about }) => `  ${name.padEnd(18)} ${about}`).join("\n")}
`;

/** @returns null where help was asked for @throws TypeError for options that do not exist or make no sense */
export function readOptions(args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      target: { type: "string", multiple: true, default: ["serve"] },
      scenario: { type: "string", multiple: true, default: SCENARIOS.map(({ name }) => name) },
      rounds: { type: "string", default: "3" },
      scale: { type: "string", default: "1" },
      connections: { type: "string", default: "1,10,50,200" },
      rate: { type: "string" },
      page: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  for (const name of values.scenario) {
    if (!SCENARIOS.some((scenario) => scenario.name === name)) throw new TypeError(`there is no scenario ${name}`);
  }
  return {
    targets: values.target,
    scenarios: SCENARIOS.filter(({ name }) => values.scenario.includes(name)),
    rounds: wholeNumber("rounds", values.rounds),
    scale: positive("scale", values.scale),
    connections: values.connections.split(",").map((text) => wholeNumber("connections", text)),
    rate: values.rate === undefined ? undefined : positive("rate", values.rate),
    page: values.page,
  };
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new TypeError(`--${name} is "${text}", must be whole numbers from 1`);
  return value;
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw new TypeError(`--${name} is "${text}", must be a number greater than 0`);
  return value;
}
