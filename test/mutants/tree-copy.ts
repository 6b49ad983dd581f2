/** A copy of the tree in which one mutant at a time is tried. */
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { mutate, type Mutant } from "./mutant.ts";

const ROOT = resolve(import.meta.dirname, "..", "..");
const LAYERS = ["redis-occ", "log-replay"];
const LEFT_OUT = new Set([
  "node_modules",
  ".git",
  ".emulator",
  ".serverless",
  ".esbuild",
  ".layers",
  ".data",
  ".cache",
  ".packages",
  ".stryker-tmp",
]);
/** Milliseconds: a mutant that makes its tests hang is found, too. */
const PATIENCE = 5 * 60_000;
/** Milliseconds for what a command has said before its end. */
const LAST_WORDS = 2_000;

/**
 * Namespaces for each copy, where the machine allows it: of the network, since tests beside each other could take each other's
 * ports; and of processes, since a mutant's tests may leave some running, which end with the shell.
 */
const ALONE = [
  ...["unshare", "--net", "--pid", "--mount-proc", "--kill-child"],
  ...["sh", "-c", 'ip link set lo up && "$0" "$@"; exit $?'],
];

export const copiesPossible = (): number =>
  spawnSync("unshare", ["--net", "--pid", "--mount-proc", "--kill-child", "true"]).status === 0 ? 2 : 1;

/** What tests said, and the first of those that failed. */
export type Outcome = { readonly passed: true } | { readonly passed: false; readonly failure: string };

type Tests = Pick<Mutant, "project" | "tests" | "name" | "byHistories">;

interface Run {
  /** Null where it was killed. */
  readonly code: number | null;
  readonly output: string;
  readonly hung: boolean;
}

export class TreeCopy {
  readonly #folder: string;
  readonly #alone: boolean;

  constructor(alone: boolean) {
    this.#alone = alone;
    this.#folder = mkdtempSync(join(tmpdir(), "mutants-"));
    cpSync(ROOT, this.#folder, {
      recursive: true,
      filter: (path) =>
        !path
          .slice(ROOT.length)
          .split("/")
          .some((name) => LEFT_OUT.has(name) || name.startsWith(".data")),
    });
    // The packages are the original's, but for the layers: those are the copy's own.
    const packages = join(this.#folder, "node_modules");
    mkdirSync(packages);
    for (const name of readdirSync(join(ROOT, "node_modules"))) {
      const source = LAYERS.includes(name) ? join(this.#folder, "layers", name) : join(ROOT, "node_modules", name);
      symlinkSync(source, join(packages, name));
    }
  }

  /** What the mutant's tests say of it. */
  async tryOut(mutant: Mutant): Promise<Outcome> {
    const path = join(this.#folder, mutant.file);
    const source = readFileSync(path, "utf8");
    writeFileSync(path, mutate(mutant, source));
    try {
      return await this.test(mutant);
    } finally {
      writeFileSync(path, source);
    }
  }

  /** Runs the tests that a mutant names in the tree as it is now. */
  async test({ project, tests, name, byHistories = false }: Tests): Promise<Outcome> {
    const jest = [join("node_modules", ".bin", "jest"), "-w", "1", "--bail", "--selectProjects", project];
    // Many mutants hang, and nothing else runs beside them.
    jest.push("--testTimeout", "30000");
    jest.push("--testPathPatterns", tests, ...(name === undefined ? [] : ["--testNamePattern", literally(name)]));
    const histories = join(this.#folder, ".histories");
    rmSync(histories, { recursive: true, force: true });
    const tested = await this.#run(jest, {
      NODE_OPTIONS: "--experimental-vm-modules",
      ...(project === "s3" ? { SHOP_DEPLOYED: "an S3 alone" } : {}),
      ...(byHistories ? { HISTORIES_DIR: histories, SHOP_HOST: "serve" } : {}),
    });
    const ran = /^Tests: .*\d (passed|failed)/m.test(tested.output);
    if (byHistories && ran) {
      const checked = await this.#run(["npm", "run", "linearizability", "--", histories]);
      const verdict = /^.*is not linearizable$/m.exec(checked.output)?.[0] ?? checked.output.trim();
      return checked.code === 0 ? { passed: true } : { passed: false, failure: verdict };
    }
    if (tested.code === 0 && ran) return { passed: true };
    const failure = /^ +● (.*)$/m.exec(tested.output)?.[1] ?? "no test has run";
    return { passed: false, failure: tested.hung ? "it hangs" : failure };
  }

  #run(command: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Run> {
    const [program = "", ...args] = [...(this.#alone ? ALONE : []), ...command];
    return new Promise((done, failed) => {
      const child = spawn(program, args, {
        cwd: this.#folder,
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
        env: { ...process.env, ...environment },
      });
      let output = "";
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding("utf8").on("data", (text: string) => (output += text));
      let hung = false;
      const timer = setTimeout(() => {
        hung = true;
        if (child.pid) process.kill(-child.pid, "SIGKILL");
      }, PATIENCE);
      const ended = (code: number | null): void => {
        clearTimeout(timer);
        done({ code, output, hung });
      };
      child.once("error", failed);
      child.once("close", ended);
      // What a test leaves running may keep the pipes open.
      child.once("exit", (code) => setTimeout(() => ended(code), LAST_WORDS).unref());
    });
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A part of a test's name, as a pattern. */
function literally(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
