/** What the supervisor and its children say goes to files; what a person has to know goes to stderr as well. */
import { appendFileSync, closeSync, copyFileSync, openSync, readFileSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { makeInPlace } from "./make-folder.ts";

const LARGEST_OUTPUT_BYTES = 64 * 1024 * 1024;
const SIZE_CHECK_MS = 10_000;

export class Diagnostics {
  readonly #runDir: string;
  readonly #file: string;
  readonly #outputs = new Set<string>();

  constructor(runDir: string, name: string) {
    this.#runDir = runDir;
    this.#file = join(runDir, `${name}.log`);
    this.#outputs.add(this.#file);
    setInterval(() => this.#limitSizes(), SIZE_CHECK_MS).unref();
  }

  /** Writes a line into the file only; where that cannot be written, nowhere. */
  note(line: string): void {
    try {
      makeInPlace(this.#runDir);
      appendFileSync(this.#file, `${new Date().toISOString()} ${line}\n`, { mode: 0o600 });
    } catch {
      // The disk is full, or the folder is not ours any more: the shop is worth more than what is said of it.
    }
  }

  /** Into the file and to the person. */
  warn(line: string): void {
    this.note(line);
    process.stderr.write(`${line}\n`);
  }

  /**
   * A child writes straight to its file: nothing of it passes through the supervisor, or is lost with it. Where the file cannot be
   * opened, the child says nothing.
   */
  withOutput<T>(name: string, use: (output: number | "ignore") => T): T {
    const output = this.#open(name);
    try {
      return use(output);
    } finally {
      if (output !== "ignore") closeSync(output);
    }
  }

  #open(name: string): number | "ignore" {
    const file = this.outputFile(name);
    this.#outputs.add(file);
    try {
      makeInPlace(this.#runDir);
      return openSync(file, "a", 0o600);
    } catch {
      return "ignore";
    }
  }

  outputFile(name: string): string {
    return join(this.#runDir, `${name}.out`);
  }

  lastLines(name: string, count = 15): string {
    try {
      return readFileSync(this.outputFile(name), "utf8").trim().split("\n").slice(-count).join("\n");
    } catch {
      return "";
    }
  }

  /** One older file is kept. The writers append, so once the file is truncated they go on at its start. */
  #limitSizes(): void {
    for (const file of this.#outputs) {
      try {
        if (statSync(file).size < LARGEST_OUTPUT_BYTES) continue;
        copyFileSync(file, `${file}.1`);
        truncateSync(file);
      } catch {
        // Not there yet.
      }
    }
  }
}
