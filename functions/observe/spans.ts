/** Turns what is told on the channels into spans of OpenTelemetry. Loaded only where somebody collects them. */
import {
  subscribe,
  tracingChannel,
  type TracingChannel,
  type TracingChannelSubscribers,
} from "node:diagnostics_channel";
import { AsyncLocalStorage } from "node:async_hooks";
import {
  context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type ContextManager,
  type Link,
  type Span,
  type SpanContext,
} from "@opentelemetry/api";
import type { AppendMessage, RestoreMessage } from "log-replay";
import type { AttemptMessage, TransactionMessage } from "redis-occ";
import type { Work } from "./channels.ts";

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  internal: SpanKind.INTERNAL,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

/** Carries the active span through asynchronous calls. Its own, since the channels have to enter it. */
const active = new AsyncLocalStorage<Context>();

class ChannelContexts implements ContextManager {
  active(): Context {
    return active.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    entered: Context,
    run: F,
    thisArgument?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return active.run(entered, () => run.call(thisArgument as never, ...args));
  }

  bind<T>(entered: Context, target: T): T {
    if (typeof target !== "function") return target;
    const run = target as unknown as (...args: unknown[]) => unknown;
    return ((...args: unknown[]) => active.run(entered, () => run(...args))) as unknown as T;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    return this;
  }
}

/** A global symbol: functions that are bundled one by one have a copy of this module each. */
const STARTED = Symbol.for("shop.spans");

/**
 * Once in a process; needs a tracer provider that is registered with the API. What the layers do for a state that has no
 * name is not the shop's, and has no span.
 */
export function startSpans(): void {
  const holder = globalThis as { [STARTED]?: boolean };
  if (holder[STARTED] === true) return;
  holder[STARTED] = true;
  context.setGlobalContextManager(new ChannelContexts());
  const tracer = trace.getTracer("shop");
  const spans = new WeakMap<object, Span>();

  bound(
    tracingChannel<Work>("shop:work"),
    spans,
    (work) => {
      const parent = work.remote ? remoteParent(work.trace) : context.active();
      const { name, kind, attributes } = work;
      const span = tracer.startSpan(name, { kind: KINDS[kind], attributes }, parent);
      const { traceId, spanId, traceFlags } = span.spanContext();
      work.trace = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
      return span;
    },
    (span, { status }) => {
      if (status === undefined) return;
      span.setAttribute("http.response.status_code", status);
      if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    },
  );
  bound(tracingChannel<TransactionMessage>("redis-occ:transaction"), spans, ({ name, meta }) => {
    if (name === undefined) return null;
    const { op = "", saga } = (meta ?? {}) as { op?: string; saga?: string };
    const attributes = {
      "shop.service": name,
      "shop.op": op,
      ...(saga === undefined ? {} : { "shop.saga": saga }),
    };
    return tracer.startSpan(`transaction ${op}`.trim(), { attributes }, context.active());
  });

  // A group belongs to all whose transactions are in it, and so to none: it is a trace of its own that they link to.
  subscribe("redis-occ:attempt", (message) => {
    const { name, outcome, size, transactions, started: from, ended } = message as AttemptMessage;
    if (name === undefined) return;
    const members = transactions.flatMap((transaction) => spans.get(transaction) ?? []);
    const links: Link[] = members.slice(0, 128).map((span) => ({ context: span.spanContext() }));
    const attributes = { "shop.service": name, "shop.outcome": outcome, "shop.transactions": size };
    const span = tracer.startSpan("group", { root: true, startTime: at(from), attributes, links });
    if (outcome === "failed") span.setStatus({ code: SpanStatusCode.ERROR });
    span.end(at(ended));
    for (const member of members) member.addLink({ context: span.spanContext() });
  });
  subscribe("log-replay:append", (message) => {
    const { name, epoch, commits, bytes, started: from, ended, error } = message as AppendMessage;
    if (name === undefined) return;
    const attributes = {
      "shop.service": name,
      "shop.epoch": epoch,
      "shop.commits": commits,
      "shop.bytes": bytes,
    };
    const span = tracer.startSpan("append", { startTime: at(from), attributes }, context.active());
    if (error !== null) fail(span, error);
    span.end(at(ended));
  });
  subscribe("log-replay:restore", (message) => {
    const restore = message as RestoreMessage;
    if (restore.event !== "restored" || restore.name === undefined) return;
    const attributes = {
      "shop.service": restore.name,
      "shop.epoch": restore.epoch,
      "shop.commits": restore.records,
    };
    const ended = Date.now();
    tracer.startSpan("restore", { startTime: ended - restore.ms, attributes }, context.active()).end(ended);
  });
}

/** A span from a call's start to the end of its promise, active within it. @param begin null where it is to have none */
function bound<M extends object>(
  channel: TracingChannel<M>,
  spans: WeakMap<object, Span>,
  begin: (message: M) => Span | null,
  finish: (span: Span, message: M) => void = () => undefined,
): void {
  channel.start.bindStore(active as AsyncLocalStorage<never>, (told) => {
    const message = told as M;
    const span = begin(message);
    if (span === null) return context.active() as never;
    spans.set(message, span);
    return trace.setSpan(context.active(), span) as never;
  });
  const subscribers: Partial<TracingChannelSubscribers<M>> = {
    error: (message) => {
      const span = spans.get(message);
      if (span !== undefined) fail(span, (message as { error?: unknown }).error);
    },
    asyncEnd: (message) => {
      const span = spans.get(message);
      if (span === undefined) return;
      finish(span, message);
      span.end();
    },
  };
  channel.subscribe(subscribers as never);
}

function fail(span: Span, error: unknown): void {
  span.recordException(error instanceof Error ? error : String(error));
  span.setStatus({ code: SpanStatusCode.ERROR });
}

function remoteParent(traceparent: string): Context {
  const [, traceId, spanId, flags] = traceparent.split("-");
  if (traceId === undefined || spanId === undefined || flags === undefined) return ROOT_CONTEXT;
  const parent: SpanContext = { traceId, spanId, traceFlags: parseInt(flags, 16), isRemote: true };
  return trace.setSpanContext(ROOT_CONTEXT, parent);
}

/** Of `performance.now()`: milliseconds since 1970. */
function at(time: number): number {
  return performance.timeOrigin + time;
}
