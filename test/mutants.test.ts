/** The list of `npm run mutants` agrees with the sources and with what the documents promise. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { MUTANTS } from "./mutants/list.ts";
import { mutate } from "./mutants/mutant.ts";

const ROOT = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

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
