/** The SDK of OpenTelemetry: loaded only where OTEL_EXPORTER_OTLP_ENDPOINT names a collector. */
import { trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { startSpans } from "./spans.ts";

/** Spans that wait for the next export: what a busy shop makes in half a second. Beyond it they are dropped. */
const MOST_WAITING = 32_768;

export interface TracingOptions {
  /** Milliseconds between two exports: what a killed process has not sent yet is lost with it. */
  readonly delay: number;
  /** Milliseconds for one export. Default: what OpenTelemetry's settings say. */
  readonly patience?: number;
}

export interface Tracing {
  /** Sends what there is. @throws where the collector does not take it */
  readonly send: () => Promise<void>;
  /** Sends what is left. */
  readonly end: () => Promise<void>;
}

export function startTracing({ delay, patience }: TracingOptions): Tracing {
  const name = process.env["OTEL_SERVICE_NAME"] || "shop";
  const processor = new BatchSpanProcessor({
    exporter: new OTLPTraceExporter(patience === undefined ? {} : { timeoutMillis: patience }),
    scheduledDelayMillis: delay,
    maxQueueSize: MOST_WAITING,
    maxExportBatchSize: 2_048,
    ...(patience === undefined ? {} : { exportTimeoutMillis: patience }),
  });
  const resource = resourceFromAttributes({ "service.name": name, "process.pid": process.pid });
  const provider = new TracerProvider({ resource, spanProcessors: [processor] });
  trace.setGlobalTracerProvider(provider);
  startSpans();
  return { send: () => provider.forceFlush(), end: () => provider.shutdown() };
}
