import { pretty, timeline, type Span } from "log-replay/cli";
import type { LogRecord } from "log-replay/tools";
import { openLogs, type OpenLog } from "../open-logs.ts";
import { chosen, type Choice } from "../records.ts";
import type { Narrator } from "./narrator.ts";

const PATIENCE = 60_000;

/** The three logs of the demo's shop, as `shoplog` reads them. */
export class Logs {
  readonly logs: readonly OpenLog[];
  readonly #narrator: Narrator;

  private constructor(logs: readonly OpenLog[], narrator: Narrator) {
    this.logs = logs;
    this.#narrator = narrator;
  }

  static async open(narrator: Narrator): Promise<Logs> {
    return new Logs(await openLogs([]), narrator);
  }

  /** The last record that fits, once there is one. */
  async awaited(fits: (record: LogRecord) => boolean, choice: Choice): Promise<LogRecord> {
    for (const end = Date.now() + PATIENCE; ; await this.#narrator.pause(20)) {
      let last: LogRecord | undefined;
      for await (const { line } of timeline(this.logs)) {
        const record = chosen(choice, line);
        if (record !== null && fits(record)) last = record;
      }
      if (last !== undefined) return last;
      if (Date.now() > end) throw new Error(`no such record within ${PATIENCE} ms`);
    }
  }

  /** The id of the last checkout of an order. */
  async sagaOf(order: string): Promise<string> {
    const { saga } = await this.awaited(({ set }) => `claim:${order}` in set, { op: "checkout" });
    return String(saga);
  }

  /** Shows what a checkout has written, all three logs on one time line. @param span of it; all of it without one */
  async story(saga: string, span: Span = {}): Promise<void> {
    const describe = pretty(this.logs, false);
    for await (const { log, line } of timeline(this.logs, span)) {
      const record = chosen({ saga }, line);
      if (record !== null) await this.#narrator.show(describe(log, record));
    }
  }
}
