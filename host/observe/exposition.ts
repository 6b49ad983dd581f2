/** The metrics of this process as Prometheus reads them. Loaded when they are first asked for. */
import { collectDefaultMetrics, Registry, type Metric as PromMetric } from "prom-client";
import { METRICS, type Measures, type Metric, type MetricName, type Series } from "../../functions/observe/measures.ts";
import { sagaMode } from "../../functions/settings/configuration.ts";
import { SERVICES } from "../../functions/settings/services.ts";
import { QueueFigures } from "../queues/queue-figures.ts";

/** What the host knows by itself. */
export interface HostFigures {
  readonly active: number;
  readonly queued: number;
}

export class Exposition {
  readonly #registry = new Registry();

  constructor(measures: Measures, figures: () => HostFigures) {
    // Event loop delay, memory, garbage collection, file handles.
    collectDefaultMetrics({ register: this.#registry });
    for (const name of Object.keys(METRICS) as MetricName[])
      this.#add(METRICS[name], () => samples(METRICS[name], measures.of(name)));
    this.#add(gauge("shop_requests_active", "Requests under way"), () => [{ labels: {}, value: figures().active }]);
    this.#add(gauge("shop_requests_queued", "Requests that wait for their turn"), () => [
      { labels: {}, value: figures().queued },
    ]);
    if (sagaMode() === "events") this.#addQueues();
  }

  /** Each scrape asks the queues. One that does not answer is left out. */
  #addQueues(): void {
    const queues = SERVICES.map((service) => ({ service, figures: new QueueFigures(service) }));
    this.#add(gauge("shop_queue_messages", "Messages of checkouts by events, by what they wait for"), async () => {
      const depths = await Promise.all(queues.map(({ figures }) => figures.depth().catch(() => null)));
      return queues.flatMap(({ service }, i) => {
        const { waiting, inFlight, dead } = depths[i] ?? {};
        return Object.entries({ waiting, in_flight: inFlight, dead }).flatMap(([state, value]) =>
          value === undefined ? [] : [{ labels: { service, state }, value }],
        );
      });
    });
    this.#add(
      gauge("shop_queue_oldest_seconds", "How long ago the oldest of a queue's messages was sent"),
      async () => {
        const oldest = await Promise.all(queues.map(({ figures }) => figures.oldest()));
        return queues.flatMap(({ service }, i) => {
          const sentAt = oldest[i];
          if (sentAt === undefined) return [];
          return [{ labels: { service }, value: sentAt === null ? 0 : Math.max(0, Date.now() - sentAt) / 1_000 }];
        });
      },
    );
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** The sums are kept elsewhere: the registry asks for them when it writes. */
  #add({ name, help, type }: Described, values: () => Sample[] | Promise<Sample[]>): void {
    const get = async (): Promise<object> => ({ name, help, type, values: await values(), aggregator: "sum" });
    this.#registry.registerMetric({ name, get } as unknown as PromMetric);
  }
}

type Described = Pick<Metric, "name" | "help" | "type">;

function gauge(name: string, help: string): Described {
  return { name, help, type: "gauge" };
}

interface Sample {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

function samples({ name, buckets }: Metric, series: readonly Series[]): Sample[] {
  return series.flatMap((one) => {
    const labels = parsed(one.labels);
    if (one.counts === null || buckets === undefined) return [{ labels, value: one.value }];
    let sum = 0;
    const below = [...buckets, Infinity].map((le, i): Sample => {
      sum += one.counts?.[i] ?? 0;
      return { metricName: `${name}_bucket`, labels: { ...labels, le: le === Infinity ? "+Inf" : le }, value: sum };
    });
    return [
      ...below,
      { metricName: `${name}_sum`, labels, value: one.sum },
      { metricName: `${name}_count`, labels, value: one.value },
    ];
  });
}

/** `service="order",route="…"`: values hold no quotes. */
function parsed(labels: string): Record<string, string> {
  return Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [name, value]));
}
