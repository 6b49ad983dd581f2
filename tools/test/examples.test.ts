import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { exampleProblems, problemsIn } from "../packages/examples.ts";

test("each public symbol of the layers that somebody calls, passes, implements or is told has an example, and every example compiles", () => {
  expect(exampleProblems()).toEqual([]);
}, 300_000);

test("one without an example, and one whose example is wrong, are named", () => {
  const folder = mkdtempSync(join(tmpdir(), "examples-"));
  try {
    const file = join(folder, "index.ts");
    const source = `
      export function bare(): void {}
      export interface BareOptions { readonly a: string }
      export interface Bare { on(): void }
      export interface Result { readonly a: string }
      /** @example bare(1); */
      export const wrong = 1;
      /** @example const seats: number = await occ.transact(["seats"], book); */
      export const right = 1;`;
    writeFileSync(file, source);
    expect(problemsIn([{ specifier: file, file }], [file])).toEqual([
      ...["bare", "BareOptions", "Bare"].map((name) => `${name} of ${file} has no @example`),
      expect.stringMatching(/index\.ts:6: Expected 0 arguments, but got 1\.$/),
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 300_000);
