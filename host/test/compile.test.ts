import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..");
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "node-compile-"));
  node("filled", "host/compile.ts");
});

afterAll(() => rmSync(folder, { recursive: true }));

function node(cache: string, ...words: string[]): string {
  const done = spawnSync(process.execPath, words, {
    cwd: ROOT,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], NODE_COMPILE_CACHE: join(folder, cache) },
  });
  if (done.status !== 0) throw new Error(done.stderr);
  return done.stdout;
}

/** Whether a process that loads `module` needs Node's compiler of types, which then stays in its memory. */
function needsCompiler(cache: string, module: string): boolean {
  const load = `await import("./${module}"); console.log(process.moduleLoadList.some((name) => name.includes("amaro")));`;
  return JSON.parse(node(cache, "--input-type=module", "--eval", load)) as boolean;
}

test.each([
  "host/main.ts",
  "host/serve/main.ts",
  "host/serve/serve-host.ts",
  "host/offline/offline-host.ts",
  "functions/order/checkout.ts",
  "functions/stock/maintain.ts",
])("what is compiled once is not compiled by a process that stays: %s", (module) =>
  expect(needsCompiler("filled", module)).toBe(false),
);

test("without that it is", () => expect(needsCompiler("empty", "host/main.ts")).toBe(true));
