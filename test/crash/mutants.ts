/**
 * `npm run crash:mutants`: takes one sync at a time out of the log's file store, in a copy of the tree, and shows that
 * the tests of power loss fail. `--rounds`: the whole shop's rounds with power cuts too (slow; a wrong answer that is
 * given only now and then is found only now and then).
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const ROOT = resolve(import.meta.dirname, "..", "..");
const SOURCES = "layers/log-replay/src";

interface Mutant {
  readonly what: string;
  readonly file: string;
  readonly before: string;
  readonly after: string;
}

/** What a mutant takes out, together with what is around it, must stand once in its file. */
const MUTANTS: readonly Mutant[] = [
  {
    what: "a frame's data",
    file: "stores/file/segment.ts",
    before: `if (this.#durability === "always") await file.datasync();`,
    after: "",
  },
  {
    what: "the name of a segment",
    file: "stores/file/segment.ts",
    before: "if (this.#size === 0) await syncFolder(dirname(path));",
    after: "",
  },
  {
    what: "a file that is written as a whole",
    file: "stores/file/durable-files.ts",
    before: "await file.sync();",
    after: "",
  },
  {
    what: "the name of a claim",
    file: "stores/file/store.ts",
    before: `await syncFolder(this.#folder);\n      await failPoint("claim.after");`,
    after: "",
  },
  {
    what: "the name of a beginning",
    file: "stores/file/store.ts",
    before: `await syncFolder(this.#folder);\n      await failPoint("begin.after");`,
    after: "",
  },
  {
    what: "the data of others that was read",
    file: "stores/file/store.ts",
    before: "      await file.datasync();\n",
    after: "",
  },
  {
    what: "the names of others that were seen",
    file: "stores/file/store.ts",
    before: `await syncFolder(this.#folder);\n      await failPoint("sync.after");`,
    after: "",
  },
  { what: "the data of a snapshot", file: "stores/file/snapshots.ts", before: "await file.sync();", after: "" },
  {
    what: "the name of a snapshot",
    file: "stores/file/snapshots.ts",
    before: "await unlink(draft).catch(() => undefined);\n    await syncFolder(this.#folder);",
    after: "await unlink(draft).catch(() => undefined);",
  },
  {
    what: "the names in the archive",
    file: "stores/file/store.ts",
    before: "await syncFolder(this.#path(ARCHIVE));",
    after: "",
  },
  {
    what: "the copy of what is cut off",
    file: "stores/file/store.ts",
    before: "await syncPath(this.#path(copy));",
    after: "",
  },
  {
    what: "the name of that copy",
    file: "stores/file/store.ts",
    before: `await syncFolder(this.#folder);\n      await failPoint("cut.copied");`,
    after: "",
  },
  {
    what: "the names in a new store",
    file: "stores/file/identity.ts",
    before: "await unlink(draft);\n    await syncFolder(folder);",
    after: "await unlink(draft);",
  },
  {
    what: "the folders of a new store",
    file: "stores/file/durable-files.ts",
    before: "await syncFolder(dirname(made));",
    after: "",
  },
];

const { values } = parseArgs({ options: { rounds: { type: "boolean", default: false } } });
const copy = copyOfTree();
try {
  print("without this sync", "the store's tests", values.rounds ? "rounds of the whole shop" : "");
  const unharmed = verdict();
  print("(none is missing)", ...unharmed);
  let missed = unharmed[0] === "pass" ? 0 : 1;
  for (const { what, file, before, after } of MUTANTS) {
    const path = join(copy, SOURCES, file);
    const source = readFileSync(path, "utf8");
    if (source.split(before).length !== 2) throw new Error(`${file} does not hold this once: ${before}`);
    writeFileSync(path, source.replace(before, after));
    const found = verdict();
    print(what, ...found);
    if (found.every((one) => one === "pass" || one === "")) missed++;
    writeFileSync(path, source);
  }
  process.stdout.write(missed === 0 ? "every one is found\n" : `${missed} not as it should be\n`);
  process.exitCode = missed === 0 ? 0 : 1;
} finally {
  rmSync(copy, { recursive: true, force: true });
}

function verdict(): string[] {
  const store = run(
    "node_modules/.bin/jest",
    ["-w", "1", "--selectProjects", "layers", "--testPathPatterns", "power-loss"],
    { NODE_OPTIONS: "--experimental-vm-modules" },
  );
  if (!values.rounds) return [store];
  return [store, run("node_modules/.bin/node", ["test/crash/main.ts", "--chapters", "2", "--seed", "1"], {})];
}

function run(program: string, args: readonly string[], environment: NodeJS.ProcessEnv): string {
  const { status } = spawnSync(join(copy, program), args, {
    cwd: copy,
    env: { ...process.env, ...environment },
    stdio: "ignore",
  });
  return status === 0 ? "pass" : "FAIL";
}

/** The packages are the original's, except the layers, which are the copy's own. */
function copyOfTree(): string {
  const folder = mkdtempSync(join(tmpdir(), "mutants-"));
  for (const name of [
    "functions",
    "host",
    "layers",
    "test",
    "jest.config.js",
    "package.json",
    "tsconfig.json",
    "tsconfig.base.json",
    "tsconfig.check.json",
    "serverless.yml",
  ]) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  const packages = join(folder, "node_modules");
  mkdirSync(packages);
  for (const name of readdirSync(join(ROOT, "node_modules")))
    symlinkSync(join(ROOT, "node_modules", name), join(packages, name));
  for (const layer of ["redis-occ", "log-replay"]) {
    rmSync(join(packages, layer));
    symlinkSync(join(folder, "layers", layer), join(packages, layer));
  }
  return folder;
}

function print(what: string, ...verdicts: readonly string[]): void {
  process.stdout.write(`${what.padEnd(40)}${verdicts.map((one) => one.padEnd(20)).join("")}\n`);
}
