import { spawn } from "node:child_process";
import { join } from "node:path";

const CACHE = join(import.meta.dirname, "..", "..", "..", "..", "node_modules", ".cache", "node-compile");
const BIN = join(import.meta.dirname, "..", "..", "src", "cli", "main.ts");

export interface Told {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Those of stdout. */
  readonly lines: readonly string[];
}

/** Runs `log-replay` as a process of its own. */
export async function cli(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Told> {
  const { ended, said } = launched(args, environment);
  const code = await ended;
  return { code, ...said, lines: said.stdout.split("\n").filter(Boolean) };
}

/** The same at a terminal, where somebody answers what is asked. */
export async function cliAnswered(answer: string, args: readonly string[]): Promise<Told> {
  const { child, ended, said } = launched(args, {
    NODE_OPTIONS: "--import=data:text/javascript,process.stdin.isTTY=true",
  });
  child.stdin.end(`${answer}\n`);
  const code = await ended;
  return { code, ...said, lines: said.stdout.split("\n").filter(Boolean) };
}

export function launched(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { PATH: process.env["PATH"], NODE_COMPILE_CACHE: CACHE, ...environment },
  });
  const said = { stdout: "", stderr: "" };
  child.stdout.on("data", (bytes: Buffer) => (said.stdout += bytes.toString()));
  child.stderr.on("data", (bytes: Buffer) => (said.stderr += bytes.toString()));
  return { child, said, ended: new Promise<number | null>((resolve) => child.once("close", resolve)) };
}

export const json = (lines: readonly string[]): Record<string, unknown>[] =>
  lines.map((line) => JSON.parse(line) as Record<string, unknown>);
