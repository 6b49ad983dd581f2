/** On Lambda: values as lines that CloudWatch makes metrics of (its embedded metric format). */
import { writeLine } from "../request-log.ts";
import { measure, METRICS, type MetricName, type Sink } from "./measures.ts";

/** Values of one metric that one line may have. */
const MOST = 100;

/** Gathers what happens in one turn of the event loop, so that it is out before an invocation's answer. */
class EmbeddedMetrics implements Sink {
  readonly #namespace: string;
  readonly #waiting = new Map<string, Map<MetricName, number[]>>();

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  add(metric: MetricName, service: string, _labels: string, value: number): void {
    if (this.#waiting.size === 0) setImmediate(() => this.#flush());
    let metrics = this.#waiting.get(service);
    if (metrics === undefined) this.#waiting.set(service, (metrics = new Map<MetricName, number[]>()));
    const values = metrics.get(metric);
    if (values === undefined) metrics.set(metric, [value]);
    else if (values.length < MOST) values.push(value);
  }

  #flush(): void {
    for (const [service, metrics] of this.#waiting) {
      const names = [...metrics.keys()].map((name) => ({ Name: METRICS[name].embedded, Unit: METRICS[name].unit }));
      const values = [...metrics].map(
        ([name, all]) => [METRICS[name].embedded, all.length === 1 ? all[0] : all] as const,
      );
      const about = {
        Timestamp: Date.now(),
        CloudWatchMetrics: [{ Namespace: this.#namespace, Dimensions: [["service"]], Metrics: names }],
      };
      writeLine(JSON.stringify({ _aws: about, service, ...Object.fromEntries(values) }));
    }
    this.#waiting.clear();
  }
}

/** @returns ends it */
export function embedMetrics(namespace: string): () => void {
  return measure(new EmbeddedMetrics(namespace));
}
