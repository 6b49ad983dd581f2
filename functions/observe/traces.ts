/**
 * Whose task it is to send what a process has traced: a host's, or where there is none, on Lambda, the function's own. A
 * deployment that names no collector is bundled without all of it (deploy/tracing.cjs), so each way in asks first.
 */
import { processWide } from "log-replay/process-wide";
import { describe, log } from "../request-log.ts";

export interface Traces {
  /** Resolves once all spans so far are on their way, as far as an answer has to wait for that. Never rejects. */
  readonly sent: () => Promise<void>;
  /** Sends what is left. */
  readonly end: () => Promise<void>;
}

const NONE: Traces = { sent: () => Promise.resolve(), end: () => Promise.resolve() };

/** Milliseconds between two exports of a host. */
const DELAY = 500;
/** Milliseconds that an invocation waits for the collector: beyond it its spans are lost. */
const PATIENCE = 1_000;

/** A host's, which sends them by itself. To be called before any state is opened. */
export function tracesOfHost(): Promise<Traces> {
  return once(async () => {
    const { startTracing } = await import("./tracing.ts");
    const { end } = startTracing({ delay: Number(process.env["OTEL_BSP_SCHEDULE_DELAY"] ?? DELAY) });
    return { ...NONE, end };
  });
}

/** Those of the host, if there is one; else the function's own. */
export function traces(): Promise<Traces> {
  return once(async () => {
    try {
      await readHeaders();
      const { startTracing } = await import("./tracing.ts");
      const { send, end } = startTracing({ delay: 2 * PATIENCE, patience: PATIENCE });
      return { sent: () => send().catch(() => undefined), end };
    } catch (error) {
      // Nothing is traced by this process then; it has an answer to give all the same.
      log("warn", "traces are not sent", { error: describe(error, false) });
      return NONE;
    }
  });
}

function once(start: () => Promise<Traces>): Promise<Traces> {
  return processWide("shop:traces", start);
}

/** What the collector wants to see is in a secret, and so in no template and no environment that can be looked at. */
async function readHeaders(): Promise<void> {
  const arn = process.env["OTEL_HEADERS_SECRET_ARN"];
  if (!arn) return;
  const { fetchSecret } = await import("../settings/secret.ts");
  process.env["OTEL_EXPORTER_OTLP_HEADERS"] = await fetchSecret(arn, process.env);
}

/**
 * A function's handler that leaves no span behind: what is not sent before the answer waits in a Lambda that stands still,
 * and may never be sent.
 */
export function sendingTraces<A extends unknown[], R>(handler: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
  if (process.env["OTEL_EXPORTER_OTLP_ENDPOINT"]) {
    return async (...args) => {
      const { sent } = await traces();
      try {
        return await handler(...args);
      } finally {
        await sent();
      }
    };
  }
  return handler;
}
