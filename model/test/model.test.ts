import { execFile } from "node:child_process";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { INVARIANTS } from "../invariants.ts";
import { configurations, mutants, PARTS, type Outcome, type Part } from "../plan.ts";

const MINUTES = 60_000;
const root = join(import.meta.dirname, "../..");

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** As a person runs it: within jest's own modules it takes ten times as long. */
function model(...args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ["model/main.ts", ...args],
      { cwd: root, maxBuffer: 64 * 1024 * 1024 },
      (_error, stdout, stderr) => {
        resolve({ code: child.exitCode ?? -1, stdout, stderr });
      },
    );
  });
}

const outcomes = new Map<string, Outcome & { readonly text: string }>();

beforeAll(async () => {
  const parts: readonly Part[] = PARTS;
  const runs = await Promise.all(parts.map((part) => model("--only", part, "--json")));
  runs.forEach(({ stdout, stderr }, i) => {
    const lines = stdout.split("\n").filter((line) => line !== "");
    if (lines.length === 0) throw new Error(`the exploration of the ${parts[i]} ended without an outcome: ${stderr}`);
    for (const line of lines) {
      const outcome = JSON.parse(line) as Outcome & { readonly text: string };
      outcomes.set(`${parts[i]}: ${outcome.name}`, outcome);
    }
  });
}, 15 * MINUTES);

describe.each(PARTS)("the %s", (part) => {
  test.each(configurations(part).map(({ name }) => name))("all invariants hold in every state: %s", (name) => {
    expect(outcomes.get(`${part}: ${name}`)?.text).toContain("holds in all states");
  });

  test.each(mutants(part).map(({ name }) => name))(
    "a counterexample is found, and printed step by step: %s",
    (name) => {
      const outcome = outcomes.get(`${part}: ${name}`);
      const { violation, trace } = outcome?.result.counterexample ?? { trace: [] };

      expect(outcome).toMatchObject({ kind: "mutant", asExpected: true });
      expect(trace.length).toBeGreaterThan(1);
      const printed = outcome?.text.split("\n").map((line) => line.trim());
      expect(printed?.slice(1, -1)).toEqual(trace.map(({ step }, i) => `${i + 1}  ${step}`));
      expect(printed?.at(-1)).toBe(`Invariant ${violation?.invariant}: ${violation?.what}`);
    },
  );
});

test("each of the design's invariants is broken by a mutant", () => {
  const broken = new Set([...outcomes.values()].map(({ result }) => result.counterexample?.violation.invariant));

  expect(INVARIANTS.filter((invariant) => !broken.has(invariant))).toEqual([]);
});

test("one mutant by its name: the steps, and the state after each", async () => {
  const { code, stdout } = await model("--flaw", "no tombstone", "--states");

  expect(stdout).toMatch(/^no tombstone: broken/);
  expect(stdout).toMatch(/1 {2}driver 1: starts S1, calls reserve\n\s+credit 1, stock 1, order unpaid/);
  expect(stdout).toMatch(/Invariant 6 conservation: /);
  expect(code).toBe(0);
});

test("three instances, as far as one asks", async () => {
  const { code, stdout } = await model("--instances", "3", "--max-states", "2000");

  expect(stdout).toContain("holds as far as it was looked (2,0");
  expect(code).toBe(0);
});

test.each([
  [["--flaw", "none such"], 'there is no mutant "none such"'],
  [["--lost", "often"], '"often" is no whole number'],
  [["--only", "everything"], "--only takes log, saga, events"],
  [["--programs", "Wx"], '"Wx" is no operation'],
  [["--fast"], "--fast"],
])("%j is refused", async (args, why) => {
  const { code, stdout, stderr } = await model(...args);

  expect(stderr).toContain(why);
  expect(stdout).toBe("");
  expect(code).toBe(2);
});

test("the help names every option", async () => {
  const { stdout } = await model("--help");

  for (const option of [
    "--only",
    "--mutants",
    "--flaw",
    "--list",
    "--instances",
    "--programs",
    "--json",
    "--max-states",
  ])
    expect(stdout).toContain(option);
});
