/** What a host counts from its start on, and where it sends traces to. To be called before any state is opened. */
import { Measures, measure } from "../../functions/observe/measures.ts";
import { tracesOfHost } from "../../functions/observe/traces.ts";

export interface Observed {
  readonly measures: Measures;
  /** Sends the traces that wait to be sent. */
  readonly end: () => Promise<void>;
}

let observed: Promise<Observed> | undefined;

/** Once in a process. */
export function observe(): Promise<Observed> {
  observed ??= (async () => {
    const measures = new Measures();
    measure(measures);
    const end = process.env["OTEL_EXPORTER_OTLP_ENDPOINT"]
      ? (await tracesOfHost()).end
      : (): Promise<void> => Promise.resolve();
    return { measures, end };
  })();
  return observed;
}
