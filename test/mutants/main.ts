/**
 * `npm run mutants`: makes one careless change at a time, in copies of the tree, and shows that the tests which keep its
 * promise fail.
 *
 *   npm run mutants                                # all of them; first the tests as they are
 *   npm run mutants -- --minutes 5 --seed 7        # as many as that time allows, in an order that follows from the seed
 *   npm run mutants -- --only power-loss           # those whose file, words, promise or tests have this; more than once: or this
 *   npm run mutants -- --copies 1                  # copies of the tree at the same time; 2, where the machine has namespaces
 *
 * Mutants of the store in S3 are tried where S3_ENDPOINT names one (`npm run deploy:local` prints that of its emulator).
 *
 * Exit code 1: a change was not found. The report names it and its promise.
 */
import { parseArgs } from "node:util";
import { Random } from "../crash/support/random.ts";
import { copiesPossible, TreeCopy, type Outcome } from "./tree-copy.ts";
import { MUTANTS } from "./list.ts";
import { promisesOf, type Mutant } from "./mutant.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string" },
    seed: { type: "string", default: "1" },
    only: { type: "string", multiple: true },
    copies: { type: "string" },
  },
});
const { only } = values;
const until = values.minutes === undefined ? Infinity : Date.now() + Number(values.minutes) * 60_000;
/** Those of the store in S3 need one. */
const possible = MUTANTS.filter(({ project }) => project !== "s3" || process.env["S3_ENDPOINT"] !== undefined);
const wanted = possible.filter(
  (mutant) =>
    only === undefined ||
    [mutant.file, mutant.what, mutant.tests, ...promisesOf(mutant)].some((text) =>
      only.some((word) => text.includes(word)),
    ),
);
const queue = new Random(Number(values.seed)).shuffled(wanted)[Symbol.iterator]();
const survivors: Mutant[] = [];
const sound = new Map<string, Promise<Outcome>>();
let tried = 0;

/** Tests that fail anyway find nothing. In a sample they were run just before, by `npm test`. */
function unharmed(copy: TreeCopy, mutant: Mutant): Promise<Outcome> {
  if (until !== Infinity) return Promise.resolve({ passed: true });
  const { project, tests, name = "", byHistories = false } = mutant;
  const key = `${project} ${tests} ${name} ${byHistories}`;
  const known = sound.get(key) ?? copy.test(mutant);
  sound.set(key, known);
  return known;
}

async function work(copy: TreeCopy): Promise<void> {
  for (let next = queue.next(); next.done !== true && Date.now() < until; next = queue.next()) {
    const mutant = next.value;
    const before = await unharmed(copy, mutant);
    const started = Date.now();
    const after = before.passed ? await copy.tryOut(mutant) : before;
    tried++;
    const verdict = after.passed ? "NOT FOUND" : before.passed ? "found" : "fails without it";
    const seconds = String(Math.round((Date.now() - started) / 1000)).padStart(4);
    process.stdout.write(`${verdict.padEnd(10)} ${seconds} s  ${mutant.what} (${mutant.file})\n`);
    if (!after.passed) process.stdout.write(`                   by: ${after.failure}\n`);
    if (after.passed || !before.passed) survivors.push(mutant);
  }
}

const count = values.copies === undefined ? copiesPossible() : Number(values.copies);
const copies = Array.from({ length: count }, () => new TreeCopy(count > 1));
try {
  await Promise.all(copies.map(work));
} finally {
  for (const copy of copies) copy.close();
}
for (const { what, file, promise } of survivors)
  process.stdout.write(`\nnot found: ${what} (${file})\n  it breaks: ${[promise].flat().join("; ")}\n`);
process.stdout.write(
  `\n${tried} of ${wanted.length} changes tried, ${tried - survivors.length} found, seed ${values.seed}\n`,
);
if (possible.length < MUTANTS.length)
  process.stdout.write(`${MUTANTS.length - possible.length} need an S3, which S3_ENDPOINT names\n`);
process.exitCode = survivors.length > 0 || tried === 0 ? 1 : 0;
