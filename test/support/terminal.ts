/** A command on a terminal of its own, as a person runs it: Ctrl-C reaches all that is in front, npm and the program. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const CTRL_C = "\x03";

export class Terminal {
  readonly #process: ChildProcess;
  #said = "";
  /** Exit code, once it has ended. */
  readonly ended: Promise<number | null>;

  /** @param environment on top of this process's own */
  constructor(command: string, environment: Readonly<Record<string, string>>) {
    // `exec`: a shell between would die of the Ctrl-C itself, and its end would hide the command's.
    this.#process = spawn("script", ["--quiet", "--return", "--flush", "--command", `exec ${command}`, "/dev/null"], {
      env: { ...process.env, SHELL: "/bin/sh", NODE_OPTIONS: "", ...environment },
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#process.stdout?.on("data", (bytes: Buffer) => (this.#said += bytes.toString()));
    this.ended = new Promise((resolve) => this.#process.once("close", resolve));
  }

  get said(): string {
    return this.#said;
  }

  /** @throws Error with what it said, where it ends before it says the words, or takes longer than `within` milliseconds */
  async says(words: string, within: number): Promise<void> {
    for (const end = performance.now() + within; !this.#said.includes(words); await sleep(20)) {
      if (this.#process.exitCode !== null || performance.now() > end)
        throw new Error(`"${words}" was not said:\n${this.#said}`);
    }
  }

  ctrlC(): void {
    this.#process.stdin?.write(CTRL_C);
  }

  /** For a test that has failed. */
  kill(): void {
    this.#process.kill("SIGKILL");
  }
}

/** Whether there is `script`, which makes terminals. */
export const HAS_TERMINALS = process.platform === "linux";

/** Milliseconds that a process may take to end which nobody waits for. */
const LINGERING = 3_000;

/** The command lines of the processes that were started with the words in their environment, and do not end by themselves. */
export async function leftWith(words: string): Promise<string[]> {
  for (const end = performance.now() + LINGERING; ; await sleep(50)) {
    const left = processesWith(words);
    if (left.length === 0 || performance.now() > end)
      return left.map((pid) => `${pid} ${readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")}`);
  }
}

function processesWith(words: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) && Number(pid) !== process.pid && readFileSync(`/proc/${pid}/environ`, "utf8").includes(words)
      );
    } catch {
      return false;
    }
  });
}
