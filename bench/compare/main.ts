/**
 * `npm run compare`: redis-occ beside what people use in its place, on one Redis, one after the other in turns. Each adds one to a
 * number by its own means, and afterwards the numbers are added up: what is missing was told to be done, and is lost.
 * Rates are those of this machine and this moment; the ratios count. Prints the table of docs/compare.md.
 */
import { execFileSync, spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { Redis } from "ioredis";
import { median } from "../load/figures.ts";
import { spawnRedis } from "../spare-redis.ts";
import { CONTESTANTS } from "./contestants.ts";

const ROUNDS = Number(process.argv[2] ?? 3);
const MILLISECONDS = 1_500;

interface Scenario {
  readonly name: string;
  readonly processes: number;
  readonly callers: number;
  readonly keys: "own" | "one";
}

const SCENARIOS: readonly Scenario[] = [
  { name: "50 callers, a key each", processes: 1, callers: 50, keys: "own" },
  { name: "50 callers, one key", processes: 1, callers: 50, keys: "one" },
  { name: "4 processes of 12 callers, one key", processes: 4, callers: 12, keys: "one" },
];

interface Result {
  readonly perSecond: number;
  readonly lost: number;
  readonly refused: number;
}

execFileSync("npm", ["ci", "--no-audit", "--no-fund", "--legacy-peer-deps", "--loglevel=error"], {
  cwd: `${import.meta.dirname}/others`,
  stdio: "inherit",
});
const redis = await spawnRedis();
const observer = new Redis(redis.url);
const results = new Map<string, Result[]>();
try {
  for (let round = 0; round < ROUNDS; round++)
    for (const scenario of SCENARIOS)
      for (const { name } of CONTESTANTS) {
        const place = `${name}|${scenario.name}`;
        results.set(place, [...(results.get(place) ?? []), await run(name, scenario)]);
      }
} finally {
  observer.disconnect();
  await redis.stop();
}

print(["additions/s (lost)", ...SCENARIOS.map(({ name }) => name)]);
print(["---", ...SCENARIOS.map(() => "---:")]);
for (const { name } of CONTESTANTS) print([name, ...SCENARIOS.map((scenario) => cell(name, scenario))]);

async function run(name: string, { processes, callers, keys }: Scenario): Promise<Result> {
  await observer.flushall();
  const said = await Promise.all(
    Array.from({ length: processes }, async (_, i) => {
      const args = [`${import.meta.dirname}/caller.ts`, name, redis.url, callers, keys, MILLISECONDS, i].map(String);
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
      return JSON.parse(await text(child.stdout)) as { done: number; refused: number };
    }),
  );
  const done = said.reduce((sum, one) => sum + one.done, 0);
  const numbers = await observer.keys("n:*");
  const values = numbers.length === 0 ? [] : await observer.mget(numbers);
  const added = values.reduce((sum, value) => sum + Number(value), 0);
  return {
    perSecond: (done * 1_000) / MILLISECONDS,
    lost: done - added,
    refused: said.reduce((sum, one) => sum + one.refused, 0),
  };
}

/** The median rate, what that is beside redis-occ's in the same rounds, and what was lost in all of them. */
function cell(name: string, scenario: Scenario): string {
  const own = results.get(`${name}|${scenario.name}`) ?? [];
  const [first] = CONTESTANTS;
  const base = results.get(`${first?.name ?? ""}|${scenario.name}`) ?? [];
  const ratio = median(own.map(({ perSecond }, i) => perSecond / (base[i]?.perSecond ?? NaN)));
  const lost = own.reduce((sum, result) => sum + result.lost, 0);
  const refused = own.reduce((sum, result) => sum + result.refused, 0);
  const rate = median(own.map(({ perSecond }) => perSecond)).toFixed(0);
  return `${rate} (× ${ratio.toFixed(2)}${lost === 0 ? "" : `, **${lost} lost**`}${refused === 0 ? "" : `, ${refused} refused`})`;
}

function print(cells: readonly string[]): void {
  process.stdout.write(`| ${cells.join(" | ")} |\n`);
}
