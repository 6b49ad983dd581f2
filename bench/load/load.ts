import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { LoadJob, LoadResult } from "./job.ts";

export type { LoadJob, LoadResult } from "./job.ts";

/** The load client's process. */
export class Load {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  static start(): Load {
    return new Load(fork(join(import.meta.dirname, "client.ts"), { serialization: "advanced" }));
  }

  /** One job at a time. @throws Error where the client ended */
  async run(job: LoadJob): Promise<LoadResult> {
    const waiting = new AbortController();
    const { signal } = waiting;
    const ended = once(this.#process, "exit", { signal }).then(() => {
      throw new Error("the load client ended");
    });
    this.#process.send(job);
    try {
      const [result] = (await Promise.race([once(this.#process, "message", { signal }), ended])) as [LoadResult];
      return result;
    } finally {
      ended.catch(() => undefined);
      waiting.abort();
    }
  }

  stop(): void {
    this.#process.kill();
  }
}
