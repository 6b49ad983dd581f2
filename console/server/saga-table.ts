import { traceIdOf } from "../../functions/observe/trace-context.ts";
import { isSettled, SAGAS, type Saga } from "../../functions/order/sagas.ts";
import type { LogRecord } from "log-replay/tools";
import { Column, Columns, hash, Words } from "./columns.ts";

const STATES = ["running", "compensating", "paid", "failed"] as const;
export type SagaState = (typeof STATES)[number];

const ID_BYTES = 24;

/** One checkout, as far as a list shows it. The rest stands in its records. */
export interface SagaRow {
  readonly row: number;
  readonly state: SagaState;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly deadline: number;
  /** When it was settled; null where it is open. */
  readonly endedAt: number | null;
  readonly total: number;
  /** Why it failed; empty where it did not. */
  readonly failure: string;
  /** Numbers of commits in order's log: the one that began it, and the last one about it. */
  readonly first: number;
  readonly last: number;
  /** Processes that wrote about it: more than one where somebody took it over. */
  readonly drivers: number;
}

export interface SagaFilter {
  readonly state?: "open" | "stuck" | SagaState | "refused" | "aborted" | "taken-over";
  /** An order's, a user's, a request's or a trace's id, a code of a failure, or the beginning of a checkout's id. */
  readonly text?: string;
  readonly order?: string;
  readonly user?: string;
  readonly since?: number;
  readonly until?: number;
  /** Milliseconds that it took; of an open one, that it has taken so far. */
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly sort?: "newest" | "slowest";
}

/** All checkouts of the order service's log, in about 120 bytes each. */
export class SagaTable {
  readonly failures = new Words();
  /** Rows of the sagas that are not settled, by id. */
  readonly #open = new Map<string, number>();
  readonly #driverOf = new Map<string, string>();
  #columns = new SagaColumns();

  get length(): number {
    return this.#columns.state.length;
  }

  get open(): ReadonlyMap<string, number> {
    return this.#open;
  }

  get memory(): number {
    return this.#columns.bytes;
  }

  reset(): void {
    this.#open.clear();
    this.#driverOf.clear();
    this.#columns = new SagaColumns();
  }

  /** Takes the records of the order service in their order. @returns the checkouts that the record began or settled */
  add(record: LogRecord): SagaRow[] {
    const changed: SagaRow[] = [];
    for (const [key, image] of Object.entries(record.set)) {
      if (!key.startsWith(SAGAS) || image === null) continue;
      changed.push(this.#put(key.slice(SAGAS.length), image as Saga, record));
    }
    return changed;
  }

  #put(id: string, saga: Saga, record: LogRecord): SagaRow {
    const { n, at, op } = record;
    const columns = this.#columns;
    // The record that begins a checkout is the first of it: only a later one may be about one that was settled.
    let row = this.#open.get(id) ?? (saga.version === 1 && op !== "restore" ? null : this.find(id));
    const driver = driverOf(record);
    if (row === null) {
      row = columns.state.length;
      columns.id.push(hash(id));
      columns.order.push(hash(saga.order));
      columns.user.push(hash(saga.user));
      columns.trace.push(hash(traceIdOf(saga.traceparent) ?? ""));
      columns.startedAt.push(saga.startedAt);
      columns.deadline.push(saga.deadline);
      columns.total.push(saga.total);
      columns.first.push(n);
      columns.last.push(n);
      columns.state.push(0);
      columns.failure.push(0);
      columns.endedAt.push(NaN);
      columns.drivers.push(1);
      const name = Buffer.alloc(ID_BYTES);
      name.write(id, "latin1");
      for (const byte of name) columns.name.push(byte);
    } else if (this.#driverOf.get(id) !== driver && this.#driverOf.has(id)) {
      columns.drivers.set(row, Math.min(255, columns.drivers.at(row) + 1));
    }
    const settled = isSettled(saga);
    columns.state.set(row, STATES.indexOf(saga.state));
    columns.last.set(row, n);
    columns.endedAt.set(row, settled ? Date.parse(at) : NaN);
    if (saga.failure !== undefined) columns.failure.set(row, this.failures.numberOf(saga.failure.code) + 1);
    if (settled) {
      this.#open.delete(id);
      this.#driverOf.delete(id);
    } else {
      this.#open.set(id, row);
      this.#driverOf.set(id, driver);
    }
    return this.at(row);
  }

  /** The row of a checkout; null where there is none. Looks at all, newest first: a millisecond for a million. */
  find(id: string): number | null {
    const wanted = hash(id);
    const { id: ids } = this.#columns;
    for (let row = ids.length - 1; row >= 0; row--) if (ids.at(row) === wanted) return row;
    return null;
  }

  at(row: number): SagaRow {
    const { state, startedAt, deadline, endedAt, total, failure, first, last, drivers } = this.#columns;
    const ended = endedAt.at(row);
    const code = failure.at(row);
    return {
      row,
      state: STATES[state.at(row)] ?? "running",
      startedAt: startedAt.at(row),
      deadline: deadline.at(row),
      endedAt: Number.isNaN(ended) ? null : ended,
      total: total.at(row),
      failure: code === 0 ? "" : this.failures.word(code - 1),
      first: first.at(row),
      last: last.at(row),
      drivers: drivers.at(row),
    };
  }

  /** The rows that fit, newest first or slowest first. Looks at all of them: some milliseconds for a million. */
  select(filter: SagaFilter, now: number): Uint32Array {
    const fits = this.#fitting(filter, now);
    const rows = new Uint32Array(this.length);
    let count = 0;
    for (let row = this.length - 1; row >= 0; row--) if (fits(row)) rows[count++] = row;
    const found = rows.subarray(0, count);
    if (filter.sort === "slowest") found.sort((a, b) => this.#duration(b, now) - this.#duration(a, now) || b - a);
    return found;
  }

  #duration(row: number, now: number): number {
    const { endedAt, startedAt } = this.#columns;
    const ended = endedAt.at(row);
    return (Number.isNaN(ended) ? now : ended) - startedAt.at(row);
  }

  #fitting(filter: SagaFilter, now: number): (row: number) => boolean {
    const { startedAt, order, user } = this.#columns;
    const { since = -Infinity, until = Infinity, atLeast = -Infinity, atMost = Infinity } = filter;
    const tests: ((row: number) => boolean)[] = [];
    if (filter.state !== undefined) tests.push(this.#inState(filter.state, now));
    if (filter.order !== undefined) tests.push(equals(order, filter.order));
    if (filter.user !== undefined) tests.push(equals(user, filter.user));
    if (since > -Infinity || until < Infinity)
      tests.push((row) => startedAt.at(row) >= since && startedAt.at(row) <= until);
    if (atLeast > -Infinity || atMost < Infinity)
      tests.push((row) => this.#duration(row, now) >= atLeast && this.#duration(row, now) <= atMost);
    if (filter.text !== undefined) tests.push(this.#about(filter.text));
    return (row) => tests.every((test) => test(row));
  }

  #inState(wanted: NonNullable<SagaFilter["state"]>, now: number): (row: number) => boolean {
    const { state, deadline, drivers, failure } = this.#columns;
    const aborted = this.failures.find("checkout_aborted");
    const isAborted = (row: number): boolean => failure.at(row) === (aborted ?? NaN) + 1;
    switch (wanted) {
      case "open":
        return (row) => state.at(row) < 2;
      case "stuck":
        return (row) => state.at(row) < 2 && deadline.at(row) < now;
      case "taken-over":
        return (row) => drivers.at(row) > 1;
      case "aborted":
        return (row) => state.at(row) === 3 && isAborted(row);
      case "refused":
        return (row) => state.at(row) === 3 && !isAborted(row);
      default:
        return (row) => state.at(row) === STATES.indexOf(wanted);
    }
  }

  #about(text: string): (row: number) => boolean {
    const { order, user, trace, failure, name } = this.#columns;
    const wanted = hash(text);
    // A request that came without a trace has its own id as one.
    const wantedTrace = hash(text.replaceAll("-", "").toLowerCase());
    const code = this.failures.find(text);
    const letters = Buffer.from(text.slice(0, ID_BYTES), "latin1");
    return (row) => {
      if (order.at(row) === wanted || user.at(row) === wanted || trace.at(row) === wantedTrace) return true;
      if (code !== undefined && failure.at(row) === code + 1) return true;
      for (let i = 0; i < letters.length; i++) if (name.at(row * ID_BYTES + i) !== letters[i]) return false;
      return letters.length > 0;
    };
  }
}

/** The process that committed a record. */
export function driverOf({ tx }: LogRecord): string {
  return tx.slice(0, tx.indexOf("-"));
}

function equals(column: Column, text: string): (row: number) => boolean {
  const wanted = hash(text);
  return (row) => column.at(row) === wanted;
}

class SagaColumns extends Columns {
  readonly id = new Column(Float64Array);
  readonly name = new Column(Uint8Array);
  readonly order = new Column(Float64Array);
  readonly user = new Column(Float64Array);
  /** The trace of the request that began it. */
  readonly trace = new Column(Float64Array);
  readonly startedAt = new Column(Float64Array);
  readonly deadline = new Column(Float64Array);
  readonly endedAt = new Column(Float64Array);
  readonly total = new Column(Float64Array);
  readonly first = new Column(Uint32Array);
  readonly last = new Column(Uint32Array);
  readonly state = new Column(Uint8Array);
  readonly failure = new Column(Uint8Array);
  readonly drivers = new Column(Uint8Array);
}
