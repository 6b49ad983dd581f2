import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Connection, ConnectionLostError } from "redis-occ";
import { encodeFrame } from "../format/frame.ts";
import { hasLongEnded } from "../format/long-ended.ts";
import { historyLines } from "../read/history-lines.ts";
import { contentOf, merged, textOf, type Content, type Merged } from "../format/change.ts";
import { eachChange, encodeBody, encodeNotes, type Entry } from "../format/record.ts";
import { begin } from "../recover/begin.ts";
import { claimNext, recover, type LogEvent } from "../recover/recovery.ts";
import type { LogStore } from "../stores/store.ts";
import { surveyHistory, type Survey } from "../recover/survey.ts";
import type { Moment } from "./moment.ts";
import { commitAt, type CommitAt } from "./commit-at.ts";

/**
 * What is turned back, and to when.
 *
 * @example
 * const options: RestoreToOptions = { store, moment: { n: 1042 }, url, indexes: ["seat:"] };
 */
export interface RestoreToOptions {
  readonly store: LogStore;
  /** The state to go back to: the one at this moment. */
  readonly moment: Moment;
  /**
   * A Redis that holds this state or is to hold it. Without one, only the log is changed, and whoever starts on it
   * replays it.
   */
  readonly url?: string;
  /** Prefixes of the keys that are indexed, as `LoggedRedis` is given them. */
  readonly indexes?: readonly string[];
  readonly onEvent?: (event: LogEvent) => void;
}

export interface RestoredTo {
  /** The new epoch. */
  readonly epoch: number;
  /** The commit whose state is back; null for the state before the first one. */
  readonly to: CommitAt | null;
  /** How many keys had another value. */
  readonly changed: number;
}

const ROUND_TRIP = 5_000;
const LOCK_TTL = 3_000;
const ATTEMPTS = 10;
/** Keys of one record, and bytes of the frame that holds all of them: it counts whole or not at all, and is read as one. */
const RECORD_KEYS = 500;
const MOST_BYTES = 256 * 1024 * 1024;

/**
 * Goes back to an earlier state, and forward in the log: a new epoch begins, whose first records set each key that has
 * changed since to what it was. What was to end at some instant then ends at that instant, or has ended. They are one frame, so a crash leaves all of them or none, and nothing is unwritten.
 * Commits of others either come before the new epoch, which undoes them, or are done again after it.
 *
 * @throws RangeError where there is no such moment, or too much has changed since; StoreMismatchError; LogDamageError; OccError
 *
 * @example
 * const { epoch, changed } = await restoreTo({ store, moment: parseMoment("2026-01-31T12:00:00Z") });
 */
export async function restoreTo({
  store,
  moment,
  url,
  indexes = [],
  onEvent = () => undefined,
}: RestoreToOptions): Promise<RestoredTo> {
  const to = await commitAt(store, moment);
  for (let attempt = 1; ; attempt++) {
    const back = new WayBack(store, to);
    try {
      const amend = back.amend.bind(back);
      if (url === undefined) return { epoch: await beginAlone(store, amend), to, changed: back.changed };
      const open = (): Promise<Connection> => Connection.open({ url, roundTripTimeout: ROUND_TRIP });
      const signal = new AbortController().signal;
      const { epoch } = await recover({ store, open, indexes, lockTtl: LOCK_TTL, onEvent, amend, signal }, Infinity);
      return { epoch, to, changed: back.changed };
    } catch (error) {
      // Somebody else began an epoch meanwhile. What it has of this attempt is found there, and not done twice.
      if (!(error instanceof ConnectionLostError) || attempt === ATTEMPTS) throw error;
      await sleep(100 * attempt);
    }
  }
}

/** As in a recovery, without a Redis: the claim fences writers and other recoveries. */
async function beginAlone(store: LogStore, amend: WayBack["amend"]): Promise<number> {
  const renew = (): Promise<void> => Promise.resolve();
  const epoch = await claimNext(store);
  const survey = await surveyHistory(store, renew);
  await begin(epoch, { store }, survey);
  await amend(epoch, survey, renew);
  return epoch;
}

/** What a key holds, and when it ends: milliseconds since 1970, null where it stays. */
interface Value {
  readonly content: Content;
  readonly end: number | null;
}

/** What is known of a key, on the way through the history. */
interface Known {
  readonly value: Merged;
  readonly end: number | null;
}

/** @param now milliseconds since 1970 */
function valueOf(known: Known | undefined, now: number): Value | null {
  const { value = null, end = null } = known ?? {};
  const content = hasLongEnded(end, now) ? null : contentOf(value);
  return content === null ? null : { content, end };
}

function isSame(a: Value | null, b: Value | null): boolean {
  if (a === null || b === null) return a === b;
  return a.end === b.end && typeof a.content === typeof b.content && textOf(a.content) === textOf(b.content);
}

/** The records that lead from the end of the history back to an earlier state. */
class WayBack {
  readonly #store: LogStore;
  readonly #to: CommitAt | null;
  changed = 0;

  constructor(store: LogStore, to: CommitAt | null) {
    this.#store = store;
    this.#to = to;
  }

  async amend(epoch: number, survey: Survey, renew: () => Promise<void>): Promise<Survey> {
    const changes = await this.#changes(renew);
    this.changed = changes.size;
    const entries = this.#entries(epoch, survey.cut, changes);
    if (entries.length > 0) await this.#append(epoch, entries);
    // As after every append: a claim made before this look may have cut the epoch off below the frame; or, where nothing has changed,
    // may have been followed by a look at the log in which the epoch had not begun, and the one before it had more commits.
    if (await this.#store.isSealed(epoch))
      throw new ConnectionLostError(`epoch ${epoch} was ended by another recovery`);
    if (entries.length === 0) return survey;
    const cut = survey.cut + entries.length;
    return {
      ...survey,
      history: [...survey.history, { epoch, from: survey.cut, to: cut }],
      records: survey.records + entries.length,
      cut,
    };
  }

  async #append(epoch: number, entries: readonly Entry[]): Promise<void> {
    const writer = this.#store.createSegment(epoch);
    try {
      await writer.append(encodeFrame(entries));
    } finally {
      await writer.close();
    }
  }

  /** Each key that has another value now, with the value that it had then. */
  async #changes(renew: () => Promise<void>): Promise<Map<string, Value | null>> {
    const then = new Map<string, Value | null>();
    const known = new Map<string, Known>();
    const last = this.#to?.n ?? 0;
    const now = Date.now();
    // The new epoch has begun and is empty, so what is read ends at its cut.
    for await (const { n, line, file } of historyLines(this.#store)) {
      eachChange(line, file, (key, change, _at, end) => {
        const before = known.get(key);
        if (n > last && !then.has(key)) then.set(key, valueOf(before, now));
        if (change === null || hasLongEnded(end, now)) known.delete(key);
        else known.set(key, { value: merged(before?.value ?? null, change), end });
      });
      await renew();
    }
    const changes = new Map<string, Value | null>();
    for (const [key, was] of then) {
      if (!isSame(was, valueOf(known.get(key), now))) changes.set(key, was);
    }
    return changes;
  }

  #entries(epoch: number, cut: number, changes: ReadonlyMap<string, Value | null>): Entry[] {
    const at = new Date().toISOString();
    const process = randomBytes(6).toString("hex");
    const notes = encodeNotes({ op: "restore", to: this.#to === null ? 0 : `${this.#to.epoch}:${this.#to.n}` });
    const entries: Entry[] = [];
    let bytes = 0;
    const all = [...changes];
    for (let i = 0; i < all.length; i += RECORD_KEYS) {
      const part = all.slice(i, i + RECORD_KEYS);
      const contents = part.map(([key, value]) => [key, value?.content ?? null] as const);
      const images = new Map(contents.map(([key, content]) => [key, typeof content === "string" ? content : null]));
      const hashes = new Map(
        contents.flatMap(([key, content]) =>
          content === null || typeof content === "string" ? [] : [[key, content] as const],
        ),
      );
      const ends = new Map(
        part.flatMap(([key, value]) => (value === null || value.end === null ? [] : [[key, value.end]])),
      );
      const body = encodeBody(at, `${process}-${entries.length + 1}`, notes, images, ends, hashes);
      bytes += body.length;
      if (bytes > MOST_BYTES)
        throw new RangeError(
          `more than ${MOST_BYTES / 1024 / 1024} MiB have changed since then: too much for one frame`,
        );
      entries.push({ epoch, n: cut + entries.length + 1, body });
    }
    return entries;
  }
}
