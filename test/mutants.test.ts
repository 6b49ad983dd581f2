/** The list of `npm run mutants` agrees with the sources and with what the documents promise. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { MUTANTS, UNBREAKABLE } from "./mutants/list.ts";
import { mutate, promisesOf } from "./mutants/mutant.ts";

const ROOT = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/** The documents that guarantee something, and the headings below which each row of a table and each item of a list does. */
const GUARANTEES: Readonly<Record<string, readonly string[]>> = {
  "README.md": ["What is guaranteed"],
  "layers/log-replay/README.md": ["What is guaranteed", "On the command line"],
  "layers/redis-occ/README.md": ["What it does for you", "Channels", "Errors", "Traps that it avoids", "Diagnostics"],
  "docs/failures.md": [
    "Failures: what stops, who takes over, how fast, which test shows it",
    "What the shop stands on fails",
  ],
};

interface Row {
  readonly heading: string;
  /** Of a table's row; an item of a list has one cell. */
  readonly cells: readonly string[];
}

/** The rows of a document's tables and the items of its lists. */
function rowsOf(path: string): Row[] {
  let heading = "";
  const lines = read(path).split("\n");
  return lines.flatMap((line, i): Row[] => {
    heading = /^#+ (.*)/.exec(line)?.[1] ?? heading;
    const item = /^- (?:\*\*)?(.*)/.exec(line)?.[1];
    if (item !== undefined) return [{ heading, cells: [item] }];
    const isRow = line.startsWith("| ") && !line.startsWith("| ---") && lines[i + 1]?.startsWith("| ---") !== true;
    return isRow ? [{ heading, cells: line.split(" | ").map((cell) => cell.replace(/^\| /, "")) }] : [];
  });
}

const guarantees = Object.entries(GUARANTEES).flatMap(([path, headings]) =>
  headings.map((heading) => [path, heading] as const),
);

test.each(guarantees)("%s, %s: each guarantee has a mutant that breaks it", (path, heading) => {
  const rows = rowsOf(path).filter((row) => row.heading === heading);
  const promises = [...MUTANTS.flatMap(promisesOf), ...Object.keys(UNBREAKABLE)];
  expect(rows.length).toBeGreaterThan(1);
  expect(
    rows.map(({ cells: [first = ""] }) => first).filter((row) => !promises.some((promise) => row.startsWith(promise))),
  ).toEqual([]);
});

test("what each mutant breaks is promised by a document", () => {
  const documents = [
    "README.md",
    "layers/log-replay/README.md",
    "layers/redis-occ/README.md",
    ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" }).map((name) => join("docs", name)),
  ].filter((path) => path.endsWith(".md"));
  const cells = documents.flatMap(rowsOf).flatMap((row) => row.cells);
  const promises = [...MUTANTS.flatMap(promisesOf), ...Object.keys(UNBREAKABLE)];
  expect(promises.filter((promise) => !cells.some((cell) => cell.startsWith(promise)))).toEqual([]);
});

test("what each mutant changes stands once in its file", () => {
  const problems = MUTANTS.flatMap((mutant) => {
    try {
      return mutate(mutant, read(mutant.file)) === read(mutant.file) ? [`${mutant.what}: changes nothing`] : [];
    } catch (error) {
      return [String(error)];
    }
  });
  expect(problems).toEqual([]);
});

test("the tests that each mutant names are there", () => {
  const tests = ["bench", "deploy", "functions", "host", "layers", "model", "test", "tools"].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".test.ts"))
      .map((path) => join(folder, path)),
  );
  expect(
    MUTANTS.filter(({ tests: part }) => !tests.some((path) => new RegExp(part).test(path))).map(({ what }) => what),
  ).toEqual([]);
});
