import { historyLines, parseRecord } from "log-replay/tools";
import { Accounts, type AuditResult } from "../../tools/accounts.ts";
import type { ShopRecord } from "../../tools/laws.ts";
import type { ServiceLog } from "./service-log.ts";

/** Milliseconds of work after which others get their turn. */
const SLICE = 8;
/** An audit that goes on takes at most this share of the process's time. */
const SHARE = 0.1;
const SHORTEST_PAUSE = 500;
/** Milliseconds after which nobody is interested any more. */
const FORGOTTEN = 15_000;

export interface AuditReport {
  readonly state: "idle" | "running" | "done" | "failed";
  /** Commits that are in it, of those that there are. */
  readonly done: number;
  readonly of: number;
  readonly result: AuditResult | null;
  /** When the result was drawn up; milliseconds since 1970. */
  readonly at: number | null;
  readonly problem: string | null;
}

/**
 * Conservation, over and over while somebody looks: each round takes what was appended since the one before. One for all
 * viewers.
 */
export class Audit {
  /** In the order in which they are read. */
  readonly #logs: readonly ServiceLog[];
  #books = new Books();
  #report: AuditReport = { state: "idle", done: 0, of: 0, result: null, at: null, problem: null };
  #askedAt = 0;
  #running = false;

  /**
   * The order service's log is read first: what a checkout that is settled there has done elsewhere is durable by then.
   * Checkouts that began later are unknown to it for now, and are no violation.
   */
  constructor(logs: readonly ServiceLog[]) {
    this.#logs = [...logs].sort((a, b) => Number(b.service === "order") - Number(a.service === "order"));
  }

  /** What is known; asking keeps it going. */
  ask(signal: AbortSignal): AuditReport {
    this.#askedAt = Date.now();
    if (!this.#running) void this.#run(signal);
    return this.#report;
  }

  /** As `ask`, without wanting it. */
  get report(): AuditReport {
    return this.#report;
  }

  /** All that was told of a log has changed. */
  forget(): void {
    this.#books = new Books();
  }

  /** Never rejects. */
  async #run(signal: AbortSignal): Promise<void> {
    this.#running = true;
    while (!signal.aborted && Date.now() - this.#askedAt < FORGOTTEN) {
      const started = performance.now();
      try {
        await this.#round(signal);
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error);
        this.#report = { ...this.#report, state: "failed", problem };
        this.forget();
      }
      const pause = Math.max(SHORTEST_PAUSE, (performance.now() - started) * (1 / SHARE - 1));
      await new Promise((resolve) => setTimeout(resolve, Math.min(pause, FORGOTTEN)).unref());
    }
    this.#running = false;
  }

  async #round(signal: AbortSignal): Promise<void> {
    const books = this.#books;
    const begun = new Set<string>();
    for (const log of this.#logs) await this.#readOn(log, books, signal);
    const order = this.#logs.find(({ service }) => service === "order");
    if (order !== undefined) {
      for await (const { line, file } of historyLines(order.store, { after: books.read.get("order") ?? order.base })) {
        const { op, saga } = parseRecord(line, file);
        if (op === "checkout" && typeof saga === "string") begun.add(saga);
      }
    }
    const result = books.accounts.result();
    const violations = result.violations.filter((text) => {
      const [, id] = /^checkout (\S+) is unknown to the order service/.exec(text) ?? [];
      return id === undefined || !begun.has(id);
    });
    if (books !== this.#books) return;
    const { done, of } = this.#progress();
    this.#report = { state: "done", done, of, result: { ...result, violations }, at: Date.now(), problem: null };
  }

  async #readOn({ service, store, base }: ServiceLog, books: Books, signal: AbortSignal): Promise<void> {
    let since = performance.now();
    for await (const { line, file, n } of historyLines(store, { after: books.read.get(service) ?? base })) {
      if (signal.aborted) return;
      books.accounts.add(service, parseRecord(line, file) as unknown as ShopRecord);
      books.read.set(service, n);
      if (performance.now() - since < SLICE) continue;
      this.#report = { ...this.#report, state: this.#report.result === null ? "running" : "done", ...this.#progress() };
      await new Promise((resolve) => setImmediate(resolve));
      since = performance.now();
    }
  }

  #progress(): { done: number; of: number } {
    let done = 0;
    let of = 0;
    for (const { service, last } of this.#logs) {
      const read = this.#books.read.get(service) ?? 0;
      done += read;
      of += Math.max(last, read);
    }
    return { done, of };
  }
}

/** What was read so far, and how far that is in each log. */
class Books {
  readonly accounts = new Accounts();
  readonly read = new Map<string, number>();
}
