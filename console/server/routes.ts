/** What the page asks for: JSON, and no more work for one request than a page of it takes. */
import type { ParsedUrlQuery } from "node:querystring";
import { timelineOf, type Head, type LogFilter } from "./matches.ts";
import type { SagaFilter } from "./saga-table.ts";
import type { ServiceLog } from "./service-log.ts";
import type { ShopView } from "./shop-view.ts";
import { storyOf } from "./story.ts";
import { keyHistory, keysAt, logRows, recordPage } from "./views.ts";

/** Rows of a page at most. */
const MOST_ROWS = 200;
const MOST_VERSIONS = 50;

/** A request that makes no sense: 400, with these words. */
export class BadRequestError extends Error {
  override readonly name = "BadRequestError";
}

type Query = ParsedUrlQuery;

/** @returns the answer as JSON; null where there is no such thing */
export type Answerer = (view: ShopView, query: Query, path: readonly string[]) => unknown;

export const ROUTES: Readonly<Record<string, Answerer>> = {
  now: (view) => view.now(),
  series: (view, query) => {
    const step = whole(query, "step", 1, 60) ?? 2;
    const count = whole(query, "count", 1, 300) ?? 150;
    const { rates } = view;
    const end = Math.floor((whole(query, "end", 0, 8.64e15) ?? Date.now()) / 1_000) - 1;
    return { step, seconds: rates.series(end - (end % step), count, step) };
  },
  happenings: async (view, query) => {
    await view.look();
    const since = whole(query, "since", 0, 8.64e15) ?? 0;
    return { happenings: view.happenings.all.filter(({ at }) => at > since) };
  },
  "dead-letters": async (view, _query, [service = ""]) => (await view.queues?.deadLetters(service)) ?? null,
  log: logPage,
  record: async (view, _query, [service = "", n = ""]) => recordPage(logOf(view, service), commit(n)),
  ops: (view) => Object.fromEntries([...view.logs].map(([service, log]) => [service, [...log.ops.all].sort()])),
  sagas: sagasPage,
  saga: (view, _query, [id = ""]) => storyOf(id, [...view.logs.values()], view.requests),
  state: statePage,
  key: async (view, query, [service = ""]) => {
    const log = logOf(view, service);
    return keyHistory(log, text(query, "key") ?? "", momentOf(log, query, "at"), MOST_VERSIONS);
  },
  compare,
  moments: (view, _query, [service = ""]) => {
    const log = logOf(view, service);
    const first = log.base + 1;
    return {
      first,
      last: log.last,
      from: log.timeAt(first),
      to: log.timeAt(log.last),
      epochs: log.epochs.map(({ epoch, from }) => ({ epoch, from, at: log.timeAt(from) })),
    };
  },
  audit: (view) => view.audit.ask(view.signal),
  verify: (view, query) => (query["start"] === undefined ? view.verification.report : view.verification.start()),
};

async function logPage(view: ShopView, query: Query): Promise<unknown> {
  const all = [...view.logs.keys()];
  const services = (text(query, "services") ?? all.join()).split(",").filter((service) => all.includes(service));
  const filter: LogFilter = {
    services,
    ...given("op", text(query, "op")),
    ...given("saga", text(query, "saga")),
    ...given("key", text(query, "key")),
    ...given("text", text(query, "text")),
    ...given("since", time(query, "since")),
    ...given("until", time(query, "until")),
  };
  const { matches, left } = await view.searches.find(filter);
  const head: Head = headOf(view, query);
  const from = whole(query, "from", 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const count = whole(query, "count", 0, MOST_ROWS) ?? 100;
  const total = matches.reduce((sum, one) => sum + one.count(head[one.log.service] ?? one.log.last), 0);
  const latest = matches.reduce((sum, one) => sum + one.count(one.log.last), 0);
  const rows = await logRows(view.logs, timelineOf(matches, head, from, count));
  return { total, newer: latest - total, left, head, from, rows };
}

/** `order:120,stock:98`: what came later does not count; without it, all counts. */
function headOf(view: ShopView, query: Query): Head {
  const head: Record<string, number> = {};
  for (const part of (text(query, "head") ?? "").split(",")) {
    const [service = "", n = ""] = part.split(":");
    if (view.logs.has(service)) head[service] = commit(n);
  }
  for (const [service, log] of view.logs) head[service] ??= log.last;
  return head;
}

async function sagasPage(view: ShopView, query: Query): Promise<unknown> {
  const state = text(query, "state");
  if (state !== undefined && !STATES.has(state))
    throw new BadRequestError(`state must be one of ${[...STATES].join(", ")}`);
  const filter: SagaFilter = {
    ...given("state", state as SagaFilter["state"]),
    ...given("text", text(query, "text")),
    ...given("order", text(query, "order")),
    ...given("user", text(query, "user")),
    ...given("since", time(query, "since")),
    ...given("until", time(query, "until")),
    ...given("atLeast", whole(query, "atleast", 0, Number.MAX_SAFE_INTEGER)),
    ...given("atMost", whole(query, "atmost", 0, Number.MAX_SAFE_INTEGER)),
    sort: text(query, "sort") === "slowest" ? "slowest" : "newest",
  };
  const rows = view.selectSagas(filter);
  const from = whole(query, "from", 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const count = whole(query, "count", 0, MOST_ROWS) ?? 100;
  return { total: rows.length, from, rows: await view.sagaLines([...rows.subarray(from, from + count)]) };
}

const STATES = new Set([
  "open",
  "stuck",
  "running",
  "compensating",
  "paid",
  "failed",
  "refused",
  "aborted",
  "taken-over",
]);

async function statePage(view: ShopView, query: Query, [service = ""]: readonly string[]): Promise<unknown> {
  const log = logOf(view, service);
  const n = momentOf(log, query, "at");
  const page = await keysAt(log, n, text(query, "prefix") ?? "", whole(query, "count", 1, MOST_ROWS) ?? 100);
  return { n, at: log.timeAt(n), epoch: log.epochAt(n), kinds: log.kinds.all, ...page };
}

/** A key at two moments; without a key, those that were written in between. */
async function compare(view: ShopView, query: Query, [service = ""]: readonly string[]): Promise<unknown> {
  const log = logOf(view, service);
  const [a, b] = [momentOf(log, query, "a"), momentOf(log, query, "b")].sort((x, y) => x - y) as [number, number];
  const { rows, complete } = await keysAt(log, b, text(query, "prefix") ?? "", MOST_ROWS);
  const changed = rows.filter(({ n }) => n > a);
  const before = await Promise.all(changed.map(({ key }) => keyHistory(log, key, a, 1)));
  return {
    a: { n: a, at: log.timeAt(a) },
    b: { n: b, at: log.timeAt(b) },
    // Listed by their last write: where the last one shown was written before `a`, no more have changed.
    complete: complete || rows.some(({ n }) => n <= a),
    changes: changed.map(({ key, value, n }, i) => ({
      key,
      before: before[i]?.versions[0]?.value ?? null,
      after: value,
      n,
    })),
  };
}

function logOf(view: ShopView, service: string): ServiceLog {
  const log = view.logs.get(service);
  if (log === undefined) throw new BadRequestError(`there is no service "${service}"`);
  return log;
}

/** A commit's number, or a time; without one the last commit. */
function momentOf(log: ServiceLog, query: Query, name: string): number {
  const said = text(query, name);
  if (said === undefined) return log.last;
  return /^\d{1,15}$/.test(said) ? Math.min(Number(said), log.last) : log.lastUpTo(time(query, name) ?? 0);
}

function commit(said: string): number {
  if (!/^\d{1,15}$/.test(said)) throw new BadRequestError(`"${said}" is not a commit's number`);
  return Number(said);
}

function given<K extends string, V>(name: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [P in K]?: V });
}

function text(query: Query, name: string): string | undefined {
  const value = query[name];
  const said = Array.isArray(value) ? value.at(-1) : value;
  if (said !== undefined && said.length > 1_000) throw new BadRequestError(`${name} is longer than 1,000 characters`);
  return said === "" ? undefined : said;
}

function whole(query: Query, name: string, lowest: number, highest: number): number | undefined {
  const said = text(query, name);
  if (said === undefined) return undefined;
  const value = Number(said);
  if (!/^\d+$/.test(said) || value < lowest || value > highest)
    throw new BadRequestError(`${name} must be a whole number from ${lowest} to ${highest}`);
  return value;
}

/** Milliseconds since 1970, or a time as ISO 8601 has it. */
function time(query: Query, name: string): number | undefined {
  const said = text(query, name);
  if (said === undefined) return undefined;
  const value = /^\d+$/.test(said) ? Number(said) : Date.parse(said);
  if (!Number.isFinite(value)) throw new BadRequestError(`${name} must be a time, like 2026-01-31T12:00:00Z`);
  return value;
}
