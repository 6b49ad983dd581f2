/** The shop's metrics: counted where they arise, in plain numbers, and written out by whoever is asked for them. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { AppendMessage, RestoreMessage } from "log-replay";
import type { AttemptMessage } from "redis-occ";
import type { RequestMessage, SagaMessage, StuckMessage } from "./channels.ts";

/** Seconds: from a tenth of a millisecond, each about twice as long as the one before. */
const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256];

export interface Metric {
  /** For Prometheus. */
  readonly name: string;
  /** For CloudWatch, whose names are in this style; its only dimension is the service. */
  readonly embedded: string;
  readonly unit: "Count" | "Seconds" | "None";
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly buckets?: readonly number[];
}

/** All there are. Dashboards and alarms may name these and no others: a test compares them. */
export const METRICS = {
  requests: described("shop_requests_total", "Requests", "Count", "counter", "Requests that were answered"),
  requestSeconds: described("shop_request_seconds", "RequestSeconds", "Seconds", "histogram", "How long requests took"),
  serverErrors: described(
    "shop_server_errors_total",
    "ServerErrors",
    "Count",
    "counter",
    "Requests that were answered 5xx",
  ),
  sagas: described("shop_sagas_total", "Checkouts", "Count", "counter", "Checkouts that were settled, by outcome"),
  sagaSeconds: described(
    "shop_saga_seconds",
    "CheckoutSeconds",
    "Seconds",
    "histogram",
    "From a checkout's beginning until it was settled",
  ),
  stuck: described(
    "shop_sagas_stuck",
    "StuckSagas",
    "Count",
    "gauge",
    "Checkouts that are a minute past their deadline",
  ),
  attempts: described("shop_attempts_total", "Attempts", "Count", "counter", "Attempts to commit a group, by outcome"),
  conflicts: described(
    "shop_conflicts_total",
    "Conflicts",
    "Count",
    "counter",
    "Attempts that another process was faster than",
  ),
  groupSize: described(
    "shop_group_transactions",
    "GroupTransactions",
    "Count",
    "histogram",
    "Transactions in a group",
    SIZES,
  ),
  appendSeconds: described(
    "shop_append_seconds",
    "AppendSeconds",
    "Seconds",
    "histogram",
    "How long appends to the log took",
  ),
  appendFailures: described("shop_append_failures_total", "AppendFailures", "Count", "counter", "Appends that failed"),
  restores: described("shop_restores_total", "Restores", "Count", "counter", "Restores of the state that were begun"),
  restoreSeconds: described("shop_restore_seconds", "RestoreSeconds", "Seconds", "histogram", "How long restores took"),
  epoch: described("shop_epoch", "Epoch", "None", "gauge", "The epoch that this process last appended in, or restored"),
} as const;

export type MetricName = keyof typeof METRICS;

function described(
  name: string,
  embedded: string,
  unit: Metric["unit"],
  type: Metric["type"],
  help: string,
  buckets = SECONDS,
): Metric {
  return { name, embedded, unit, type, help, ...(type === "histogram" ? { buckets } : {}) };
}

/** Takes each value. Labels are joined: `service="order",route="…"`. */
export interface Sink {
  add(metric: MetricName, service: string, labels: string, value: number): void;
}

/**
 * Listens, and hands every value to the sink. A state that has no name is none of the shop's, and is not counted.
 * @returns ends it: the channels are the process's, and outlive whoever listens
 */
export function measure(sink: Sink): () => void {
  const ends: (() => void)[] = [];
  const on = <M>(name: string, take: (message: M) => void): void => {
    const hear = (message: unknown): void => take(message as M);
    subscribe(name, hear);
    ends.push(() => unsubscribe(name, hear));
  };

  on<RequestMessage>("shop:request", ({ service, method, route, status, ms }) => {
    const labels = labelsOf(method, route, status);
    sink.add("requests", service, labels.answered, 1);
    sink.add("requestSeconds", service, labels.asked, ms / 1_000);
    if (status >= 500) sink.add("serverErrors", service, "", 1);
  });
  on<SagaMessage>("shop:saga", ({ outcome, ms }) => {
    sink.add("sagas", "order", OUTCOMES[outcome], 1);
    sink.add("sagaSeconds", "order", OUTCOMES[outcome], ms / 1_000);
  });
  on<StuckMessage>("shop:stuck", (message) => sink.add("stuck", "order", "", message.stuck));
  on<AttemptMessage>("redis-occ:attempt", ({ name, outcome, size }) => {
    if (name === undefined) return;
    sink.add("attempts", name, OUTCOMES[outcome], 1);
    if (outcome === "conflict") sink.add("conflicts", name, "", 1);
    if (outcome === "executed") sink.add("groupSize", name, "", size);
  });
  on<AppendMessage>("log-replay:append", ({ name, epoch, started, ended, error }) => {
    if (name === undefined) return;
    if (error !== null) return sink.add("appendFailures", name, "", 1);
    sink.add("appendSeconds", name, "", (ended - started) / 1_000);
    sink.add("epoch", name, "", epoch);
  });
  on<RestoreMessage>("log-replay:restore", (message) => {
    const { name } = message;
    if (name === undefined) return;
    if (message.event === "restore started") sink.add("restores", name, "", 1);
    if (message.event !== "restored") return;
    sink.add("restoreSeconds", name, "", message.ms / 1_000);
    sink.add("epoch", name, "", message.epoch);
  });
  return () => {
    for (const end of ends) end();
  };
}

/** Labels as text, made once: to put them together for each request would cost more than to count it. */
const OUTCOMES: Readonly<Record<AttemptMessage["outcome"] | SagaMessage["outcome"], string>> = {
  executed: `outcome="executed"`,
  "half done": `outcome="half done"`,
  conflict: `outcome="conflict"`,
  restore: `outcome="restore"`,
  lost: `outcome="lost"`,
  nothing: `outcome="nothing"`,
  failed: `outcome="failed"`,
  paid: `outcome="paid"`,
  refused: `outcome="refused"`,
  aborted: `outcome="aborted"`,
};

interface RequestLabels {
  readonly asked: string;
  readonly answered: string;
}

/** By route, then by status and method: there are few of each. */
const requestLabels = new Map<string, Map<number, Map<string, RequestLabels>>>();

function labelsOf(method: string, route: string, status: number): RequestLabels {
  let byStatus = requestLabels.get(route);
  if (byStatus === undefined) requestLabels.set(route, (byStatus = new Map<number, Map<string, RequestLabels>>()));
  let byMethod = byStatus.get(status);
  if (byMethod === undefined) byStatus.set(status, (byMethod = new Map<string, RequestLabels>()));
  let labels = byMethod.get(method);
  if (labels === undefined) {
    const asked = `route="${method} ${route}"`;
    byMethod.set(method, (labels = { asked, answered: `${asked},status="${status}"` }));
  }
  return labels;
}

/** What became of one metric under one set of labels. */
export interface Series {
  readonly labels: string;
  /** Of a counter the sum, of a gauge the last value, of a histogram the number of values. */
  value: number;
  sum: number;
  /** Of a histogram: how many values fell into each bucket, and beyond all. */
  readonly counts: Uint32Array | null;
}

/** Sums of everything since the process began. A value costs a look-up and an addition. */
export class Measures implements Sink {
  /** By metric, service and labels. */
  readonly #series = new Map<MetricName, Map<string, Map<string, Series>>>();

  add(metric: MetricName, service: string, labels: string, value: number): void {
    const { type, buckets = [] }: Metric = METRICS[metric];
    let all = this.#series.get(metric);
    if (all === undefined) this.#series.set(metric, (all = new Map<string, Map<string, Series>>()));
    let own = all.get(service);
    if (own === undefined) all.set(service, (own = new Map<string, Series>()));
    let series = own.get(labels);
    if (series === undefined) {
      const joined = labels === "" ? `service="${service}"` : `service="${service}",${labels}`;
      series = {
        labels: joined,
        value: 0,
        sum: 0,
        counts: type === "histogram" ? new Uint32Array(buckets.length + 1) : null,
      };
      own.set(labels, series);
    }
    if (type === "gauge") series.value = value;
    else series.value += series.counts === null ? value : 1;
    if (series.counts === null) return;
    series.sum += value;
    let bucket = 0;
    while (bucket < buckets.length && value > (buckets[bucket] ?? 0)) bucket++;
    series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
  }

  of(metric: MetricName): readonly Series[] {
    return [...(this.#series.get(metric)?.values() ?? [])].flatMap((own) => [...own.values()]);
  }
}
