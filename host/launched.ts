import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

/** A shop's process, seen by the program that has started it: what it says, when it is ready, how it ends. */
export class Launched {
  readonly process: ChildProcess;
  /** All that it has said so far. */
  readonly said = { stdout: "", stderr: "" };
  /** Its exit code, once it has ended and all that it has said has arrived. */
  readonly ended: Promise<number | null>;

  /** @param process just spawned, with pipes for stdout and stderr */
  constructor(process: ChildProcess) {
    this.process = process;
    process.stdout?.on("data", (bytes: Buffer) => (this.said.stdout += bytes.toString()));
    process.stderr?.on("data", (bytes: Buffer) => (this.said.stderr += bytes.toString()));
    this.ended = new Promise((resolve) => process.once("close", resolve));
  }

  /**
   * Resolves once it has said that it is ready.
   * @param within milliseconds
   * @throws Error with what it said, where it ends before that or takes longer
   */
  async ready(within = Infinity): Promise<void> {
    const deadline = performance.now() + within;
    while (!this.said.stdout.includes("ready: ")) {
      if (this.process.exitCode !== null || this.process.signalCode !== null) {
        await this.ended;
        throw new Error(`the shop ended before it was ready:\n${this.said.stdout}${this.said.stderr}`);
      }
      if (performance.now() > deadline)
        throw new Error(`the shop was not ready within ${within} ms:\n${this.said.stdout}${this.said.stderr}`);
      await sleep(20);
    }
  }
}
