import { setTimeout as sleep } from "node:timers/promises";
import type { LogStore } from "log-replay";
import { followHistory, parseRecord, timeOf, type LogRecord, type SegmentLine } from "log-replay/tools";
import type { ServiceName } from "../../functions/settings/services.ts";
import { Column, Columns, hash, upperBound, Words } from "./columns.ts";
import { LineReader } from "./line-reader.ts";

/** Milliseconds after which a log that could not be read is tried again. */
const RETRY = 3_000;

export interface ServiceLogOptions {
  readonly service: ServiceName;
  readonly store: LogStore;
  /** Milliseconds between two looks at what was appended. */
  readonly pause: number;
  /** Told of each record, once, in order. */
  readonly onRecord: (record: LogRecord) => void;
  /** Told of an epoch that began while the log was followed. */
  readonly onEpoch: (epoch: number, cut: number) => void;
  /** All that was told does not count: it is told again from the first record. */
  readonly onReset: () => void;
}

/**
 * One service's log, followed: where each record stands, and what it is about, in about 60 bytes each. The records
 * themselves stay in the log, and are read when somebody looks at them.
 */
export class ServiceLog {
  readonly service: ServiceName;
  readonly store: LogStore;
  readonly ops = new Words();
  /** The kinds of keys: what stands before the colon. */
  readonly kinds = new Words();
  /** Why the log cannot be read on; null where it can. */
  problem: string | null = null;
  /** True once all that was there at the start has been read. */
  caughtUp = false;
  /** The commit before the first one that is here: those up to it are only in a snapshot. */
  base = 0;
  readonly #options: ServiceLogOptions;
  readonly #files: string[] = [];
  readonly #fileNumbers = new Map<string, number>();
  #columns = new RecordColumns();
  #epochs: { readonly epoch: number; readonly from: number }[] = [];
  #bytes = 0;
  readonly #reader: LineReader;

  constructor(options: ServiceLogOptions) {
    this.#options = options;
    this.service = options.service;
    this.store = options.store;
    this.#reader = new LineReader(options.store);
  }

  /** The last commit; `base` where there is none. */
  get last(): number {
    return this.base + this.#columns.time.length;
  }

  get epoch(): number {
    return this.#epochs.at(-1)?.epoch ?? 0;
  }

  /** Bytes of all records that were read. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of memory that the index takes. */
  get memory(): number {
    return this.#columns.bytes;
  }

  /** Follows the log until the signal. Never rejects: what goes wrong is `problem`, and is tried again. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#follow(signal);
      } catch (error) {
        this.problem = error instanceof Error ? error.message : String(error);
        await this.#startAfterSnapshot().catch(() => undefined);
        await sleep(RETRY, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { pause, onEpoch } = this.#options;
    const caughtUp = setInterval(() => void this.#noteCaughtUp(), 100);
    try {
      for await (const step of followHistory(this.store, { after: this.last, pause, signal })) {
        if ("record" in step) this.#add(step.record);
        else if (step.dropped > 0) return this.#reset();
        else onEpoch(step.began, step.cut);
        this.problem = null;
      }
    } finally {
      clearInterval(caughtUp);
    }
  }

  /** Whether what was read reaches as far as the segments did when it was asked. */
  #seen = -1;
  #noteCaughtUp(): void {
    if (this.#seen === this.last) this.caughtUp = true;
    this.#seen = this.last;
  }

  #reset(): void {
    this.#columns = new RecordColumns();
    this.#epochs = [];
    this.#bytes = 0;
    this.#options.onReset();
  }

  /** A log of which the archive was taken away begins with its snapshot. */
  async #startAfterSnapshot(): Promise<void> {
    if (this.#columns.time.length > 0) return;
    this.base = (await this.store.snapshot())?.n ?? 0;
  }

  #add({ line, file, epoch, n, offset }: SegmentLine): void {
    const record = parseRecord(line, file);
    const columns = this.#columns;
    const { saga } = record;
    if (epoch !== this.epoch) this.#epochs.push({ epoch, from: n });
    // Ascending whatever the hosts' clocks say: positions on the time line are found by bisection.
    const time = timeOf(line);
    const before = columns.time.at(columns.time.length - 1);
    columns.time.push(before > time ? before : time);
    columns.file.push(this.#fileNumber(file));
    columns.offset.push(offset);
    columns.length.push(line.length);
    columns.op.push(this.ops.numberOf(opOf(record)));
    columns.saga.push(typeof saga === "string" ? hash(saga) : 0);
    columns.keysFrom.push(columns.key.length);
    for (const key of Object.keys(record.set)) {
      columns.key.push(hash(key));
      columns.kind.push(this.kinds.numberOf(kindOf(key)));
    }
    this.#bytes += line.length + 1;
    this.#options.onRecord(record);
  }

  #fileNumber(file: string): number {
    const name = file.slice(file.lastIndexOf("/") + 1);
    let number = this.#fileNumbers.get(name);
    if (number === undefined) {
      number = this.#files.push(name) - 1;
      this.#fileNumbers.set(name, number);
    }
    return number;
  }

  /** When a commit was made; milliseconds since 1970. It never falls from one commit to the next. */
  timeAt(n: number): number {
    return this.#columns.time.at(n - this.base - 1);
  }

  epochAt(n: number): number {
    return this.#epochs[upperBound(this.#epochs.length, (i) => this.#epochs[i]?.from ?? 0, n) - 1]?.epoch ?? 0;
  }

  opAt(n: number): number {
    return this.#columns.op.at(n - this.base - 1);
  }

  /** The hash of the saga that the record names; 0 where it names none. */
  sagaAt(n: number): number {
    return this.#columns.saga.at(n - this.base - 1);
  }

  /** The last commit that was made at or before a time. */
  lastUpTo(time: number): number {
    return this.base + upperBound(this.#columns.time.length, (i) => this.#columns.time.at(i), time);
  }

  /** Epochs with the first commit of each, oldest first. */
  get epochs(): readonly { readonly epoch: number; readonly from: number }[] {
    return this.#epochs;
  }

  writesKey(n: number, key: number): boolean {
    const [from, to] = this.#keysOf(n);
    for (let i = from; i < to; i++) if (this.#columns.key.at(i) === key) return true;
    return false;
  }

  writesKind(n: number, kind: number): boolean {
    const [from, to] = this.#keysOf(n);
    for (let i = from; i < to; i++) if (this.#columns.kind.at(i) === kind) return true;
    return false;
  }

  /** For each key (by its hash) the latest commit before `n` that wrote it. A key that none wrote is not in the map. */
  previousWrites(keys: Iterable<number>, n: number): Map<number, number> {
    const { keysFrom, key } = this.#columns;
    const wanted = new Set(keys);
    const found = new Map<number, number>();
    const index = n - this.base - 1;
    for (let i = (index < keysFrom.length ? keysFrom.at(index) : key.length) - 1; i >= 0 && wanted.size > 0; i--) {
      if (!wanted.delete(key.at(i))) continue;
      found.set(key.at(i), this.#recordOf(i));
    }
    return found;
  }

  /** The keys that were written up to commit `n`, the last one written first, each once. */
  *keysUpTo(n: number, kind: number | null): Generator<{ readonly n: number; readonly key: number }> {
    const index = n - this.base;
    const end = index < this.#columns.time.length ? this.#columns.keysFrom.at(index) : this.#columns.key.length;
    const seen = new Set<number>();
    for (let i = end - 1; i >= 0; i--) {
      if (kind !== null && this.#columns.kind.at(i) !== kind) continue;
      const key = this.#columns.key.at(i);
      if (seen.has(key)) continue;
      seen.add(key);
      yield { n: this.#recordOf(i), key };
    }
  }

  #keysOf(n: number): readonly [from: number, to: number] {
    const index = n - this.base - 1;
    const { keysFrom, key } = this.#columns;
    return [keysFrom.at(index), index + 1 < keysFrom.length ? keysFrom.at(index + 1) : key.length];
  }

  /** The commit that a key entry is of. */
  #recordOf(entry: number): number {
    const { keysFrom } = this.#columns;
    return this.base + upperBound(keysFrom.length, (i) => keysFrom.at(i), entry);
  }

  /** The lines of commits, in the order in which they are asked for; null for one that is no longer there. */
  lines(commits: readonly number[]): Promise<(Buffer | null)[]> {
    const { file, offset, length } = this.#columns;
    return this.#reader.read(
      commits.map((n) => {
        const index = n - this.base - 1;
        const name = this.#files[file.at(index)];
        return name === undefined ? null : { file: name, offset: offset.at(index), length: length.at(index) };
      }),
    );
  }

  async records(commits: readonly number[]): Promise<(LogRecord | null)[]> {
    return (await this.lines(commits)).map((line) => {
      if (line === null) return null;
      try {
        return parseRecord(line, this.service);
      } catch {
        return null; // The file was changed under us: `verify` says what is the matter.
      }
    });
  }
}

/** One entry of each for each record; `key` and `kind` for each key that one writes. */
class RecordColumns extends Columns {
  readonly time = new Column(Float64Array);
  readonly file = new Column(Uint32Array);
  readonly offset = new Column(Float64Array);
  readonly length = new Column(Uint32Array);
  readonly op = new Column(Uint8Array);
  readonly saga = new Column(Float64Array);
  /** Where the record's keys begin. */
  readonly keysFrom = new Column(Uint32Array);
  readonly key = new Column(Float64Array);
  readonly kind = new Column(Uint8Array);
}

/** Its operation, where it has one. */
export function opOf({ op }: LogRecord): string {
  return typeof op === "string" ? op : "-";
}

export function kindOf(key: string): string {
  const colon = key.indexOf(":");
  return colon < 0 ? key : key.slice(0, colon + 1);
}
