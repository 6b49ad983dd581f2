/** `npm run crash`: rounds until the time is over. `--help` says the rest. */
import { parseArgs } from "node:util";
import type { Chapter } from "./plan.ts";
import type { Failure } from "./suite.ts";

const HELP = `npm run crash -- [options]

Crashes of every kind under a running sale; afterwards everything must still be true.

  --minutes N    pairs of faults and power cuts for so long (default 5)
  --seed S       the first chapter's seed (default: a random one, which is printed); each chapter is a dozen rounds
  --chapters N   so many chapters instead of minutes: with the seed that a failure names, 1 repeats it
  --singles      each single fault once instead, at every fail point
  --chaos        instead a monkey in one shop that keeps selling: kills, freezes, older copies of a Redis and of a log, a full disk
  --rounds N     visits of the monkey (default 20)
  --events       checkouts by events; the queue server dies as well
  --lanes N      chapters at the same time (default 2)
`;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string" },
    chapters: { type: "string" },
    singles: { type: "boolean", default: false },
    chaos: { type: "boolean", default: false },
    rounds: { type: "string", default: "20" },
    events: { type: "boolean", default: false },
    lanes: { type: "string", default: "2" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  process.stdout.write(HELP);
  process.exit();
}

// What can go wrong depends on it, so it has to be known before anything of that is loaded.
if (values.events) process.env["SAGA"] = "events";
const { runChaos } = await import("./chaos.ts");
const { pairChapter, singleChapters } = await import("./plan.ts");
const { runSuite } = await import("./suite.ts");

const seed = number("seed", values.seed ?? String(Math.floor(Math.random() * 1_000_000)));
const end = Date.now() + number("minutes", values.minutes) * 60_000;
const most = values.chapters === undefined ? Infinity : number("chapters", values.chapters);

function* chapters(): Generator<Chapter> {
  for (let i = 0; i < most && (most < Infinity || Date.now() < end); i++) yield pairChapter(seed + i);
}

process.stdout.write(`seed ${seed}\n`);
if (values.chaos) {
  const problems = await runChaos({
    seed,
    rounds: number("rounds", values.rounds),
    settleWithin: 10_000,
    onRound: (round) =>
      process.stdout.write(
        `${round.problems.length === 0 ? "well" : "WRONG"}  settled after ${(round.settledAfter / 1_000).toFixed(1)} s  ${round.strikes.join(", ")}\n`,
      ),
  });
  process.stdout.write(problems.map((problem) => `  ${problem}\n`).join(""));
  process.exit(problems.length === 0 ? 0 : 1);
}
const { rounds, struck, failures } = await runSuite(
  values.singles ? singleChapters(seed) : chapters(),
  number("lanes", values.lanes),
  (plan, problems, ms) => {
    process.stdout.write(
      `${problems.length === 0 ? "well" : "WRONG"}  ${(ms / 1_000).toFixed(1).padStart(5)} s  ${plan.name}\n`,
    );
  },
);
process.stdout.write(`${rounds} rounds, ${struck} faults struck, ${failures.length} went wrong\n`);
for (const failure of failures) process.stdout.write(describe(failure));
process.exit(failures.length === 0 ? 0 : 1);

function describe({ chapter, plan, problems }: Failure): string {
  const again = values.singles ? `--singles --seed ${seed}` : `--chapters 1 --seed ${chapter.seed}`;
  return `\n${plan.name}\nagain: npm run crash -- ${again}${values.events ? " --events" : ""}\n${problems.map((problem) => `  ${problem}\n`).join("")}${JSON.stringify(plan)}\n`;
}

function number(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} ${text} is no number`);
  return value;
}
