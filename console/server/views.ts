/** What the pages show of records and keys: read from the log when it is asked for, a page at a time. */
import type { LogRecord } from "log-replay/tools";
import { SAGAS, type Saga } from "../../functions/order/sagas.ts";
import { hash } from "./columns.ts";
import type { Found } from "./matches.ts";
import type { SagaRow, SagaTable } from "./saga-table.ts";
import { kindOf, opOf, type ServiceLog } from "./service-log.ts";

/** Images of one record that a page shows. */
const MOST_IMAGES = 100;
const BRIEF_KEYS = 3;
const BRIEF_CHARACTERS = 160;
/** Key entries that one listing looks at. */
const MOST_LOOKED_AT = 200_000;
const BATCH = 64;

/** A record as a line of a list. */
export interface LogRow {
  readonly service: string;
  readonly epoch: number;
  readonly n: number;
  readonly at: string;
  readonly op: string;
  readonly saga: string | null;
  readonly keys: number;
  readonly brief: readonly { readonly key: string; readonly image: string | null }[];
}

export async function logRows(logs: ReadonlyMap<string, ServiceLog>, found: readonly Found[]): Promise<LogRow[]> {
  const rows: (LogRow | null)[] = found.map(() => null);
  for (const [service, log] of logs) {
    const places = found.flatMap((one, i) => (one.service === service ? [i] : []));
    const records = await log.records(places.map((i) => (found[i] as Found).n));
    places.forEach((i, at) => {
      const n = (found[i] as Found).n;
      const record = records[at] ?? null;
      rows[i] = record === null ? gone(log, n) : briefly(service, record);
    });
  }
  return rows.filter((row) => row !== null);
}

function briefly(service: string, record: LogRecord): LogRow {
  const { epoch, n, at, saga, set } = record;
  const keys = Object.entries(set);
  return {
    service,
    epoch,
    n,
    at,
    op: opOf(record),
    saga: typeof saga === "string" ? saga : null,
    keys: keys.length,
    brief: keys.slice(0, BRIEF_KEYS).map(([key, image]) => ({
      key,
      image: image === null ? null : JSON.stringify(image).slice(0, BRIEF_CHARACTERS),
    })),
  };
}

/** One that the log no longer gives: taken away, or changed by hand. */
function gone(log: ServiceLog, n: number): LogRow {
  const at = new Date(log.timeAt(n)).toISOString();
  return { service: log.service, epoch: log.epochAt(n), n, at, op: "gone", saga: null, keys: 0, brief: [] };
}

export interface ChangeOfKey {
  readonly key: string;
  readonly before: unknown;
  readonly after: unknown;
  /** The commit that wrote what was there before; 0 where nothing was. */
  readonly previous: number;
}

export interface RecordPage {
  readonly service: string;
  readonly record: LogRecord;
  readonly changes: readonly ChangeOfKey[];
  /** Keys that it wrote, of which `changes` has the first ones. */
  readonly keys: number;
}

/** A record, with what each of its keys was before. */
export async function recordPage(log: ServiceLog, n: number): Promise<RecordPage | null> {
  const [record] = await log.records([n]);
  if (record === undefined || record === null) return null;
  const keys = Object.keys(record.set);
  const shown = keys.slice(0, MOST_IMAGES);
  const writes = log.previousWrites(shown.map(hash), n);
  const previous = shown.map((key) => writes.get(hash(key)) ?? 0);
  const before = await log.records(previous);
  const changes = shown.map((key, i) => ({
    key,
    before: before[i]?.set[key] ?? null,
    after: record.set[key] ?? null,
    previous: previous[i] ?? 0,
  }));
  return { service: log.service, record, changes, keys: keys.length };
}

export interface KeyRow {
  readonly key: string;
  readonly value: unknown;
  /** The commit that wrote it. */
  readonly n: number;
  readonly at: string;
}

/**
 * The keys that there were after commit `n`, the one that was written last first. Bounded work: where `complete` is
 * false there are more than were looked for.
 */
export async function keysAt(
  log: ServiceLog,
  n: number,
  prefix: string,
  most: number,
): Promise<{ rows: KeyRow[]; complete: boolean }> {
  const kind = kindOf(prefix);
  const wanted = kind.endsWith(":") ? (log.kinds.find(kind) ?? -1) : null;
  const rows: KeyRow[] = [];
  let batch: { n: number; key: number }[] = [];
  let looked = 0;
  const take = async (): Promise<void> => {
    const records = await log.records(batch.map((one) => one.n));
    batch.forEach(({ n: commit, key: wantedHash }, i) => {
      const record = records[i];
      for (const [key, value] of Object.entries(record?.set ?? {})) {
        if (value === null || !key.startsWith(prefix) || hash(key) !== wantedHash) continue;
        rows.push({ key, value, n: commit, at: record?.at ?? "" });
      }
    });
    batch = [];
  };
  for (const entry of log.keysUpTo(n, wanted)) {
    if (rows.length >= most || ++looked > MOST_LOOKED_AT) return { rows: rows.slice(0, most), complete: false };
    batch.push(entry);
    if (batch.length >= BATCH) await take();
  }
  await take();
  return { rows: rows.slice(0, most), complete: rows.length <= most };
}

export interface KeyHistory {
  readonly key: string;
  /** Newest first. */
  readonly versions: readonly {
    readonly n: number;
    readonly at: string;
    readonly op: string;
    readonly value: unknown;
  }[];
  readonly complete: boolean;
}

/** The values of a key up to commit `n`, newest first. */
export async function keyHistory(log: ServiceLog, key: string, n: number, most: number): Promise<KeyHistory> {
  const wanted = hash(key);
  const commits: number[] = [];
  const before = (commit: number): number => log.previousWrites([wanted], commit).get(wanted) ?? 0;
  let commit = before(n + 1);
  for (; commit > 0 && commits.length < most; commit = before(commit)) commits.push(commit);
  const records = await log.records(commits);
  const versions = records.flatMap((record) =>
    record !== null && key in record.set
      ? [
          {
            n: record.n,
            at: record.at,
            op: opOf(record),
            value: record.set[key],
          },
        ]
      : [],
  );
  return { key, versions, complete: commit === 0 };
}

/** A checkout as a line of a list: what the table knows, and who it was for. */
export interface SagaLine extends SagaRow {
  readonly id: string;
  readonly order: string;
  readonly user: string;
  readonly message: string;
}

export async function sagaLines(log: ServiceLog, table: SagaTable, rows: readonly number[]): Promise<SagaLine[]> {
  const found = rows.map((row) => table.at(row));
  const lasts = await log.records(found.map(({ last }) => last));
  // A restore's record names no checkout, and one that is gone none either: the first one does.
  const firsts = await log.records(found.map(({ first }, i) => (hasItsSaga(lasts[i]) ? 0 : first)));
  return found.flatMap((row, i) => {
    for (const record of [lasts[i], firsts[i]]) {
      const noted = record?.["saga"] ?? firsts[i]?.["saga"];
      const saga = record?.set[`${SAGAS}${String(noted)}`] as Saga | null | undefined;
      if (saga !== undefined && saga !== null)
        return [
          { ...row, id: String(noted), order: saga.order, user: saga.user, message: saga.failure?.message ?? "" },
        ];
    }
    return [];
  });
}

function hasItsSaga(record: LogRecord | null | undefined): boolean {
  return (record?.set[`${SAGAS}${String(record["saga"])}`] ?? null) !== null;
}
