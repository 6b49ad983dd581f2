import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { LogEvent } from "../../src/index.ts";
import type { Place } from "./place.ts";
import { kill, start } from "./processes.ts";
import type { Answer, Order } from "./worker.ts";

/** A process that works on orders, seen from the test. */
export class Worker {
  readonly events: (LogEvent | { readonly event: "started" })[] = [];
  readonly #child: ChildProcess;
  readonly #open = new Map<number, (answer: Answer | null) => void>();

  /** @param place a folder, or where else the log is */
  constructor(
    url: string,
    place: string | Place,
    lockTtl = 3_000,
    {
      env = {},
      expiry = false,
      hashes = false,
    }: { readonly env?: NodeJS.ProcessEnv; readonly expiry?: boolean; readonly hashes?: boolean } = {},
  ) {
    const log: Place = typeof place === "string" ? { folder: place } : place;
    this.#child = start("worker.ts", [url, JSON.stringify(log), String(lockTtl), String(expiry), String(hashes)], env);
    this.#child.on("message", (message: Answer | { readonly event: LogEvent }) => {
      if ("event" in message) return void this.events.push(message.event);
      this.#open.get(message.id)?.(message);
      this.#open.delete(message.id);
    });
    this.#child.on("exit", () => {
      for (const answer of this.#open.values()) answer(null);
      this.#open.clear();
    });
  }

  get dead(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** @returns the answer, or null where the process died without one */
  order(order: Order): Promise<Answer | null> {
    if (this.dead) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.#open.set(order.id, resolve);
      this.#child.send(order, (error) => error && resolve(null));
    });
  }

  /** Its orderly end. */
  async quit(): Promise<void> {
    const gone = once(this.#child, "exit");
    this.#child.disconnect();
    await gone;
  }

  kill(): Promise<void> {
    return kill(this.#child);
  }

  pause(): void {
    this.#child.kill("SIGSTOP");
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }
}
