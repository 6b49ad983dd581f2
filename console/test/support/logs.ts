/** Logs as the shop writes them, made up: three services, epochs, several writers. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFileStore, openFileStore, type LogStore, type SegmentWriter } from "log-replay";
import { encodeFrame } from "../../../layers/log-replay/src/format/frame.ts";
import { encodeBody, encodeNotes, type Entry } from "../../../layers/log-replay/src/format/record.ts";

export const SERVICES = ["order", "stock", "payment"] as const;
export type ServiceName = (typeof SERVICES)[number];

/** What is still to be written of one service. */
class LogWriter {
  readonly store: LogStore;
  n = 0;
  epoch = 1;
  #segment: SegmentWriter;
  #waiting: Entry[] = [];

  private constructor(store: LogStore) {
    this.store = store;
    this.#segment = store.createSegment(1);
  }

  static async create(folder: string): Promise<LogWriter> {
    await createFileStore(folder);
    const store = await openFileStore({ folder, durability: "os" });
    await store.claim(1);
    await store.writeBegin(1, { parent: 0, cut: 0 });
    return new LogWriter(store);
  }

  add(at: number, driver: string, notes: Record<string, unknown>, set: Record<string, unknown>): number {
    const images = new Map(
      Object.entries(set).map(([key, value]) => [key, value === null ? null : JSON.stringify(value)]),
    );
    const body = encodeBody(new Date(at).toISOString(), `${driver}-${this.n + 1}`, encodeNotes(notes), images);
    this.#waiting.push({ epoch: this.epoch, n: ++this.n, body });
    return this.n;
  }

  async flush(): Promise<void> {
    const waiting = this.#waiting.splice(0);
    if (waiting.length === 0) return;
    await this.#segment.append(encodeFrame(waiting));
    if (this.#segment.size > 16 * 1024 * 1024) await this.#segment.roll();
  }

  /** Ends the epoch: what stands behind commit `cut` never was. */
  async begin(cut = this.n): Promise<void> {
    await this.flush();
    await this.#segment.close();
    await this.store.claim(this.epoch + 1);
    await this.store.writeBegin(this.epoch + 1, { parent: this.epoch, cut });
    this.epoch++;
    this.n = cut;
    this.#segment = this.store.createSegment(this.epoch);
  }
}

/** The trace of the request that began a checkout. */
export function traceOf(number: number): string {
  return (number + 1).toString(16).padStart(32, "a");
}

export interface MadeCheckout {
  readonly id: string;
  readonly state: "paid" | "refused" | "aborted" | "running";
}

/** A data folder with the logs of a shop in which customers buy. */
export class MadeShop {
  readonly folder: string;
  readonly logs: Readonly<Record<ServiceName, LogWriter>>;
  readonly checkouts: MadeCheckout[] = [];
  time = Date.parse("2026-01-31T12:00:00Z");
  readonly #stock = new Map<string, number>();
  readonly #credit = new Map<string, number>();

  private constructor(folder: string, logs: Record<ServiceName, LogWriter>) {
    this.folder = folder;
    this.logs = logs;
  }

  static async create(): Promise<MadeShop> {
    const folder = mkdtempSync(join(tmpdir(), "console-"));
    mkdirSync(join(folder, "log"));
    mkdirSync(join(folder, "run"));
    const logs = {} as Record<ServiceName, LogWriter>;
    for (const service of SERVICES) logs[service] = await LogWriter.create(join(folder, "log", service));
    const shop = new MadeShop(folder, logs);
    const rows = (prefix: string, row: object): Record<string, unknown> =>
      Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`${prefix}${i}`, row]));
    logs.stock.add(
      shop.time,
      "first",
      { op: "batch_init" },
      rows("item:", { stock: 1e9, price: 5, held: 0, generation: "g" }),
    );
    logs.payment.add(
      shop.time,
      "first",
      { op: "batch_init" },
      rows("user:", { credit: 1e9, held: 0, generation: "g" }),
    );
    for (let i = 0; i < 20; i++) {
      shop.#stock.set(`item:${i}`, 1e9);
      shop.#credit.set(`user:${i}`, 1e9);
    }
    return shop;
  }

  /** One checkout, with all that it writes. Every fifth is refused, and every thirtieth is taken over by another process. */
  checkout(number = this.checkouts.length, state?: MadeCheckout["state"]): MadeCheckout {
    const { order, stock, payment } = this.logs;
    const what = state ?? (number % 30 === 29 ? "aborted" : number % 5 === 4 ? "refused" : "paid");
    const id = `s${String(number).padStart(20, "0")}`;
    const [user, item] = [`${number % 17}`, `${number % 19}`];
    const base = {
      order: `o${number}`,
      generation: "g",
      user,
      items: [[item, 2]],
      total: 10,
      startedAt: this.time,
      deadline: this.time + 5_000,
      traceparent: `00-${traceOf(number)}-00000000000000a1-01`,
    };
    const saga = (more: object): Record<string, unknown> => ({ [`saga:${id}`]: { ...base, ...more } });
    const claim = (held: boolean): Record<string, unknown> => ({ [`claim:o${number}`]: held ? { saga: id } : null });
    const tick = (): number => ++this.time;
    const move = (of: "stock" | "payment", by: number): Record<string, unknown> => {
      const [key, rows] = of === "stock" ? [`item:${item}`, this.#stock] : [`user:${user}`, this.#credit];
      const now = (rows.get(key) ?? 0) + by;
      rows.set(key, now);
      return of === "stock"
        ? { [key]: { stock: now, price: 5, held: 1e9 - now, generation: "g" } }
        : { [key]: { credit: now, held: 1e9 - now, generation: "g" } };
    };
    const reservation = (now: "reserved" | "released"): Record<string, unknown> => ({
      [`reservation:${id}`]: {
        state: now,
        ...(now === "reserved" ? { lines: [{ item, quantity: 2, generation: "g" }] } : {}),
      },
    });
    const made: MadeCheckout = { id, state: what };
    this.checkouts.push(made);
    order.add(
      tick(),
      "first",
      { op: "checkout", saga: id },
      { ...saga({ state: "running", version: 1 }), ...claim(true) },
    );
    if (what === "running") return made;
    stock.add(tick(), "first", { op: "reserve", saga: id }, { ...reservation("reserved"), ...move("stock", -2) });
    if (what === "paid") {
      payment.add(
        tick(),
        "first",
        { op: "charge", saga: id },
        { [`charge:${id}`]: { state: "charged", user, amount: 10, generation: "g" }, ...move("payment", -10) },
      );
      order.add(
        tick(),
        "first",
        { op: "saga_paid", saga: id },
        {
          ...saga({ state: "paid", version: 2 }),
          [`order:o${number}`]: { user, items: base.items, total: 10, paid: true, generation: "g" },
          ...claim(false),
        },
      );
      return made;
    }
    const failure =
      what === "refused"
        ? { kind: "refused", code: "insufficient_credit", message: "the user has too little" }
        : { kind: "aborted", code: "checkout_aborted", message: "no answer" };
    const driver = what === "aborted" ? "second" : "first";
    if (what === "refused")
      payment.add(tick(), "first", { op: "charge", saga: id }, { [`charge:${id}`]: { state: "refused", ...failure } });
    else this.time += 6_000;
    const undo = { undo: ["reserve"], failure };
    order.add(tick(), driver, { op: "saga_abandoned", saga: id }, saga({ state: "compensating", version: 2, ...undo }));
    stock.add(tick(), driver, { op: "release", saga: id }, { ...reservation("released"), ...move("stock", 2) });
    order.add(
      tick(),
      driver,
      { op: "saga_closed", saga: id },
      { ...saga({ state: "failed", version: 3, ...undo }), ...claim(false) },
    );
    return made;
  }

  async flush(): Promise<void> {
    for (const service of SERVICES) await this.logs[service].flush();
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
