/** All that the console knows of a shop: its logs, followed, and what can be told from them. One for all viewers. */
import { Audit } from "./audit.ts";
import { Happenings } from "./happenings.ts";
import type { Source } from "./source.ts";
import type { QueueNow, Queues } from "./queues.ts";
import { Rates, type Second } from "./rates.ts";
import { RequestLines } from "./request-lines.ts";
import { SagaTable, type SagaFilter } from "./saga-table.ts";
import { Searches } from "./searches.ts";
import { ServiceLog } from "./service-log.ts";
import { NOTHING, type ShopProbe, type ShopState } from "./shop-probe.ts";
import { Verification } from "./verification.ts";
import { sagaLines, type SagaLine } from "./views.ts";

/** Open checkouts that the first page shows. */
const MOST_OPEN = 12;
/** Seconds over which the rates of the first page are taken. */
const WINDOW = 10;
/** Milliseconds after which a log in which nothing happened counts as one that nobody writes. */
const QUIET = 120_000;
/** Milliseconds for which a look at the host holds. */
const LOOK_AGE = 900;
/** Milliseconds for which a selection of checkouts is kept. */
const SELECTION_AGE = 1_000;

export interface ServiceNow {
  readonly service: string;
  readonly epoch: number;
  readonly last: number;
  readonly bytes: number;
  /** Commits a second, as the window has them. */
  readonly rate: number;
  readonly groupSize: number | null;
  readonly appendMs: number | null;
  readonly restores: number | null;
  readonly caughtUp: boolean;
  readonly problem: string | null;
}

export interface Now {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The end of what is shown as now: of a log that nobody writes any more, its end. */
  readonly end: number;
  readonly live: boolean;
  readonly checkouts: { readonly total: number; readonly open: number; readonly stuck: number };
  readonly window: Second & { readonly seconds: number };
  readonly services: readonly ServiceNow[];
  readonly open: readonly SagaLine[];
  /** Null where checkouts go by calls. */
  readonly queues: readonly QueueNow[] | null;
  readonly shop: Omit<ShopState, "services">;
  readonly conserved: { readonly violations: number; readonly at: number | null } | null;
  readonly memory: number;
}

export class ShopView {
  readonly source: Source;
  readonly logs: ReadonlyMap<string, ServiceLog>;
  readonly sagas = new SagaTable();
  rates = new Rates();
  readonly happenings: Happenings;
  readonly searches: Searches;
  readonly audit: Audit;
  readonly verification: Verification;
  readonly requests: RequestLines | null;
  /** Null where checkouts go by calls. */
  readonly queues: Queues | null;
  readonly #probe: ShopProbe;
  readonly #end = new AbortController();
  #shop = NOTHING;
  #following: Promise<unknown> = Promise.resolve();
  #lookedAt = 0;
  readonly #selections = new Map<string, { readonly at: number; readonly rows: Uint32Array }>();

  constructor(source: Source, probe: ShopProbe, queues: Queues | null = null) {
    this.source = source;
    this.queues = queues;
    this.#probe = probe;
    this.happenings = new Happenings(source.runFolder);
    this.requests = source.runFolder === null ? null : new RequestLines(source.runFolder);
    this.logs = new Map(source.stores.map((one) => [one.service, this.#logOf(one)]));
    const logs = [...this.logs.values()];
    this.searches = new Searches(logs);
    this.audit = new Audit(logs);
    this.verification = new Verification(logs);
  }

  get signal(): AbortSignal {
    return this.#end.signal;
  }

  start(): void {
    this.#following = Promise.all([...this.logs.values()].map((log) => log.follow(this.#end.signal)));
  }

  async close(): Promise<void> {
    this.#end.abort();
    this.queues?.close();
    await this.#following;
  }

  /** What only the host and its files know: looked at again where the last look is a while ago. */
  async look(): Promise<void> {
    if (Date.now() - this.#lookedAt < LOOK_AGE) return;
    this.#lookedAt = Date.now();
    const before = this.#shop;
    [this.#shop] = await Promise.all([this.#probe.look(), this.happenings.look(), this.queues?.look()]);
    // Where the supervisor's own notes are, they tell it better.
    if (this.#probe.url !== null && this.source.runFolder === null && before.up !== this.#shop.up) {
      this.happenings.add({
        at: Date.now(),
        level: this.#shop.up ? "good" : "bad",
        service: null,
        text: this.#shop.up ? "the host answers" : "the host does not answer",
      });
    }
  }

  /** Several pages of one selection, and several viewers of it, share the work. */
  selectSagas(filter: SagaFilter): Uint32Array {
    const name = JSON.stringify(filter);
    const now = Date.now();
    const kept = this.#selections.get(name);
    if (kept !== undefined && now - kept.at < SELECTION_AGE) return kept.rows;
    for (const [old, { at }] of this.#selections) if (now - at >= SELECTION_AGE) this.#selections.delete(old);
    const rows = this.sagas.select(filter, now);
    this.#selections.set(name, { at: now, rows });
    return rows;
  }

  async sagaLines(rows: readonly number[]): Promise<SagaLine[]> {
    const order = this.logs.get("order");
    return order === undefined ? [] : sagaLines(order, this.sagas, rows);
  }

  async now(): Promise<Now> {
    const at = Date.now();
    const latest = Math.max(0, ...[...this.logs.values()].map((log) => log.timeAt(log.last) || 0));
    const live = at - latest < QUIET || this.#shop.up;
    const end = live ? at : latest;
    const open = [...this.sagas.open.values()].map((row) => this.sagas.at(row)).sort((a, b) => a.deadline - b.deadline);
    const stuck = open.filter(({ deadline }) => deadline < at);
    const { report } = this.audit;
    const { services: ofHost, ...shop } = this.#shop;
    return {
      at,
      end,
      live,
      checkouts: { total: this.sagas.length, open: open.length, stuck: stuck.length },
      window: { ...this.rates.sum(Math.floor(end / 1_000) - (live ? 1 : 0), WINDOW), seconds: WINDOW },
      services: [...this.logs.values()].map((log) => this.#serviceNow(log, at, ofHost)),
      open: await this.sagaLines(open.slice(0, MOST_OPEN).map(({ row }) => row)),
      queues: this.queues?.now ?? null,
      shop,
      conserved: report.result === null ? null : { violations: report.result.violations.length, at: report.at },
      memory: [...this.logs.values()].reduce((sum, { memory }) => sum + memory, this.sagas.memory),
    };
  }

  #serviceNow(log: ServiceLog, at: number, ofHost: ShopState["services"]): ServiceNow {
    const { service, last } = log;
    const { groupSize = null, appendMs = null, restores = null } = ofHost[service] ?? {};
    return {
      service,
      epoch: log.epoch,
      last,
      bytes: log.bytes,
      rate: (last - log.lastUpTo(at - WINDOW * 1_000)) / WINDOW,
      groupSize,
      appendMs,
      restores,
      caughtUp: log.caughtUp,
      problem: log.problem,
    };
  }

  #logOf({ service, store }: Source["stores"][number]): ServiceLog {
    return new ServiceLog({
      service,
      store,
      pause: this.source.pause,
      onRecord: (record) => {
        if (service === "order") for (const row of this.sagas.add(record)) this.rates.add(row);
      },
      // Where the hosts' own lines are, they tell why as well.
      onEpoch: (epoch, cut) => {
        if (this.source.runFolder !== null) return;
        const text = `${service} restored: epoch ${epoch} goes on from commit ${cut.toLocaleString("en")}`;
        this.happenings.add({ at: Date.now(), level: "good", service, text });
      },
      onReset: () => {
        if (service === "order") {
          this.sagas.reset();
          this.rates = new Rates();
        }
        this.searches.forget();
        this.audit.forget();
      },
    });
  }
}
