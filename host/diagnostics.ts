/** What the supervisor and its children say goes to files; what a person has to know goes to stderr as well. */
import { appendFileSync, closeSync, copyFileSync, openSync, readFileSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";

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

  /** Into the file only. */
  note(line: string): void {
    appendFileSync(this.#file, `${new Date().toISOString()} ${line}\n`, { mode: 0o600 });
  }

  /** Into the file and to the person. */
  warn(line: string): void {
    this.note(line);
    process.stderr.write(`${line}\n`);
  }

  /** A child writes straight to its file: nothing of it passes through the supervisor, or is lost with it. */
  withOutput<T>(name: string, use: (handle: number) => T): T {
    const file = this.outputFile(name);
    this.#outputs.add(file);
    const handle = openSync(file, "a", 0o600);
    try {
      return use(handle);
    } finally {
      closeSync(handle);
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

  /** One older generation is kept. The writers append, so after the cut they go on at the start of the file. */
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
