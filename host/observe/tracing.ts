/** The SDK of OpenTelemetry: loaded only where OTEL_EXPORTER_OTLP_ENDPOINT names a collector. */
import { trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { startSpans } from "../../functions/observe/spans.ts";

/** Milliseconds between two exports: what a killed process has not sent yet is lost with it. */
const DELAY = 500;
/** Spans that wait for the next export: what a busy shop makes in that time. Beyond it they are dropped. */
const MOST_WAITING = 32_768;

/** @returns a function that sends what is left */
export function startTracing(): () => Promise<void> {
  const name = process.env["OTEL_SERVICE_NAME"] || "shop";
  const processor = new BatchSpanProcessor({
    exporter: new OTLPTraceExporter(),
    scheduledDelayMillis: Number(process.env["OTEL_BSP_SCHEDULE_DELAY"] ?? DELAY),
    maxQueueSize: MOST_WAITING,
    maxExportBatchSize: 2_048,
  });
  const resource = resourceFromAttributes({ "service.name": name, "process.pid": process.pid });
  const provider = new TracerProvider({ resource, spanProcessors: [processor] });
  trace.setGlobalTracerProvider(provider);
  startSpans();
  return () => provider.shutdown();
}
