import { GoneError, LogDamageError } from "../errors.ts";
import { contentOf, merged, textOf, type Merged } from "../format/change.ts";
import { eachChange, parseRecord, timeOf, type LogRecord } from "../format/record.ts";
import { formatOf, WITH_HASHES } from "../format/version.ts";
import { chain, isPassedOver, lastBegun, type Stretch } from "../protocol.ts";
import { readSnapshot } from "../read/snapshot.ts";
import type { LogStore } from "../stores/store.ts";
import { EpochReader, type SegmentLine } from "../read/epoch-reader.ts";
import { findLostClaims } from "./lost-claims.ts";
import { findStrays } from "./strays.ts";

/** Something that was found in a log. */
export interface Finding {
  /** `damage`: a restore would stop at it, or give a wrong state. `note`: worth knowing, and what crashes leave. */
  readonly kind: "damage" | "note";
  readonly file: string;
  /** From 1; 0 if it is in no single line. */
  readonly line: number;
  readonly what: string;
}

/**
 * What must be true of a record, given the state before it, without the keys that had ended by the record's time; a hash
 * is an object of its fields.
 * @returns what is not, in words
 *
 * @example
 * const seatsAreNeverNegative: Law = ({ set }, before) =>
 *   Number(set["seats"] ?? before("seats")) < 0 ? ["more seats were sold than there are"] : [];
 */
export type Law = (record: LogRecord, before: (key: string) => unknown) => string[];

/**
 * What is looked at besides the format.
 *
 * @example
 * const options: VerifyOptions = { law: ({ set }) => ("seats" in set ? [] : ["it sells no seat"]) };
 */
export interface VerifyOptions {
  /** What the records' author promises about them, beyond the format. */
  readonly law?: Law;
}

/** What was read. */
export interface Verified {
  readonly records: number;
  readonly epochs: number;
  readonly damages: number;
}

/**
 * Reads all of a log and reports everything that is wrong with it, not only the first: checksums, order, holes, epochs,
 * fields that change of what is no hash, and the law. Needs memory for the state if there is a law, or hashes.
 * @throws StoreUnavailableError
 *
 * @example
 * for await (const { kind, file, line, what } of verify(store)) console.log(`${kind}: ${file}:${line}: ${what}`);
 */
export async function* verify(store: LogStore, { law }: VerifyOptions = {}): AsyncGenerator<Finding, Verified> {
  const found = new Findings();
  // First: they may be what is missing below.
  for (const { file, what } of await findStrays(store)) found.add("note", file, 0, what);
  yield* found.take();
  const begins = await store.begins(found.onDamage);
  const last = lastBegun(begins);
  const history = chain(begins, last);
  if (history === null)
    found.add(
      "damage",
      "begin",
      0,
      `the chain of epochs below ${last} is broken: a beginning is lost, or refers to one that is`,
    );
  const claims = await store.claims();
  for (const epoch of await findLostClaims(store, begins.keys()))
    found.add(
      "damage",
      `epoch ${epoch}`,
      0,
      begins.has(epoch) ? "it has begun, and its claim is gone" : "its claim is gone, and later ones are there",
    );
  yield* found.take();

  const hasHashes = formatOf(begins.values()) >= WITH_HASHES;
  const check = law === undefined && !hasHashes ? () => undefined : lawful(law, found);
  let records = 0;
  for (const epoch of [...new Set([...claims, ...begins.keys()])].sort((a, b) => a - b)) {
    const part = history?.find((stretch) => stretch.epoch === epoch);
    if (part === undefined) {
      const hasBegun = begins.has(epoch) || history === null || isPassedOver(epoch, begins);
      await readOutside(store, epoch, hasBegun, found);
    } else {
      for await (const record of readPart(store, part, found)) {
        records++;
        check(record);
        yield* found.take();
      }
    }
    yield* found.take();
  }
  await readNewestSnapshot(store, found);
  yield* found.take();
  return { records, epochs: history?.length ?? 0, damages: found.damages };
}

/** The part of an epoch that counts, record by record; then whatever else is in its segments. */
async function* readPart(store: LogStore, { epoch, from, to }: Stretch, found: Findings): AsyncGenerator<SegmentLine> {
  const reader = new EpochReader(store, { epoch, from }, found);
  try {
    yield* reader.read(to);
    const above = to === Infinity ? 0 : await countIntact(reader);
    if (above > 0)
      found.add(
        "note",
        `epoch ${epoch}`,
        0,
        `${above} commits above ${to}, where a later epoch goes on from, came too late and do not count`,
      );
  } finally {
    await reader.close();
  }
}

/** What a restore begins with. It stops at the first damage, because nothing of a damaged snapshot is of use. */
async function readNewestSnapshot(store: LogStore, found: Findings): Promise<void> {
  const snapshot = await store.snapshot();
  if (snapshot === null) return;
  try {
    for await (const _ of readSnapshot(store, snapshot));
  } catch (error) {
    if (error instanceof GoneError) return readNewestSnapshot(store, found);
    if (!(error instanceof LogDamageError)) throw error;
    found.onDamage(error);
  }
}

/** An epoch that is no part of the history. @param begun whether it began, as far as anybody can tell */
async function readOutside(store: LogStore, epoch: number, begun: boolean, found: Findings): Promise<void> {
  const [segment] = await store.segments(epoch);
  if (segment === undefined) return;
  const reader = new EpochReader(store, { epoch, from: 0 }, found);
  const records = await countIntact(reader);
  await reader.close();
  if (!begun) found.add("damage", segment.name, 0, `epoch ${epoch} has ${records} records, and its beginning is gone`);
  else found.add("note", `epoch ${epoch}`, 0, `a later epoch passed over it: its ${records} records do not count`);
}

/** What does not count may have holes, because no answer rests on it. */
async function countIntact(reader: EpochReader): Promise<number> {
  let count = 0;
  for await (const _ of reader.rest()) count++;
  return count;
}

/** Looks at each record beside the state before it. */
function lawful(law: Law | undefined, found: Findings): (record: SegmentLine) => void {
  const state = new Map<string, { readonly value: Merged; readonly end: number | null }>();
  return ({ line, file, number }) => {
    // After a hole nobody can say what follows from what.
    if (found.isBroken) return;
    const now = timeOf(line);
    const before = (key: string): unknown => {
      const { value = null, end = null } = state.get(key) ?? {};
      const content = end !== null && end <= now ? null : contentOf(value);
      return content === null ? null : JSON.parse(textOf(content));
    };
    if (law !== undefined)
      for (const problem of law(parseRecord(line, file), before)) found.add("damage", file, number, problem);
    const deleted: string[] = [];
    eachChange(line, file, (key, change, _at, end) => {
      let former = state.get(key)?.value;
      if (typeof change === "object" && change !== null && former !== null && typeof former !== "object") {
        const held = former === undefined ? "which is not there" : "which holds a string";
        found.add("damage", file, number, `it changes fields of ${key}, ${held}`);
        former = null;
      }
      if (change === null) deleted.push(key);
      state.set(key, { value: merged(former, change), end });
    });
    for (const key of deleted) if (state.get(key)?.value === null) state.delete(key);
  };
}

/** Each finding once, however often the place is read. */
class Findings {
  readonly #told = new Set<string>();
  #waiting: Finding[] = [];
  damages = 0;

  /** True once the log itself is damaged. */
  isBroken = false;

  readonly onDamage = ({ file, line, what }: LogDamageError): void => {
    this.isBroken = true;
    this.add("damage", file, line, what);
  };

  readonly onTorn = (
    { name }: { readonly name: string },
    { offset, bytes }: { readonly offset: number; readonly bytes: number },
  ): void => {
    this.add(
      "note",
      name,
      0,
      `the last frame is torn, or being written: ${bytes} bytes from byte ${offset} on count for nothing`,
    );
  };

  add(kind: Finding["kind"], file: string, line: number, what: string): void {
    const id = `${file}:${line}:${what}`;
    if (this.#told.has(id)) return;
    this.#told.add(id);
    this.#waiting.push({ kind, file, line, what });
    if (kind === "damage") this.damages++;
  }

  take(): Finding[] {
    return this.#waiting.splice(0);
  }
}
