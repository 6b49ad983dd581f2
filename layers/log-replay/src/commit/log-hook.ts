import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ConnectionLostError,
  type Command,
  type CommitHook,
  type CommitMode,
  type Connection,
  type Reply,
  type Write,
} from "redis-occ";
import { AppendTurns } from "./append-turns.ts";
import { RestoringError, StoreMismatchError } from "../errors.ts";
import { indexCommands, prefixOf, type Indexed } from "../redis/indexes.ts";
import { GUARD, isInternal } from "../redis/keys.ts";
import { askWhetherFit } from "../redis/server-check.ts";
import { EpochOverError, EpochWriter } from "./epoch-writer.ts";
import { Outcomes } from "./outcome.ts";
import { judgeGuard, judgeWriter, parseGuard, readWaitsFor } from "../protocol.ts";
import { encodeBody, encodeNotes, keysOf, type Entry, type Position } from "../format/record.ts";
import { recover, type RecoveryOptions } from "../recover/recovery.ts";
import { appendToTail, parseId, parseTail, readTailAfter, trimTail } from "../redis/tail.ts";

/** One attempt of a group, or one read: the epoch that it runs in, and what it sends to the log. */
interface Session {
  readonly epoch: number;
  readonly writer: EpochWriter;
  readonly turns: AppendTurns;
  readonly guard: string;
  /** The entries of the group's writes, once they are on their way: all but their numbers. */
  readonly own: { readonly tx: string; readonly body: string; readonly images: Write["images"] }[];
  /** Which reply to what was staged is which. */
  readonly layout: { tail: number; last: number };
}

/** Milliseconds that a group waits for the append of the one before. */
const LONGEST_IDLE = 100;

export interface LogHookOptions extends Omit<RecoveryOptions, "signal"> {
  readonly commit: CommitMode;
  readonly now: () => Date;
  /** Milliseconds that a caller of `restore` waits; Infinity for as long as it takes. */
  readonly restorePatience: number;
}

/**
 * Guards every transaction and read by the log's protocol, and holds each answer until the log has what it rests on.
 * The protocol and the reasons for each of its steps: docs/log.md.
 */
export class LogHook implements CommitHook<Session> {
  readonly watch = [GUARD];
  readonly #options: LogHookOptions;
  /** Tells this process's transactions from those of all others in one epoch. */
  readonly #process = randomBytes(6).toString("hex");
  readonly #closing = new AbortController();
  #commits = 0;
  #turns: AppendTurns | undefined;
  readonly #outcomes: Outcomes;
  #restoring: Promise<number> | undefined;

  constructor(options: LogHookOptions) {
    this.#options = options;
    this.#outcomes = new Outcomes({
      store: options.store,
      recover: (over) => this.#recover(over),
      closing: this.#closing.signal,
    });
  }

  /** The epoch that this process last worked in; 0 before the first. */
  get epoch(): number {
    return this.#turns?.writer.epoch ?? 0;
  }

  check([text]: readonly (string | null)[], connection: Connection): Session | null | Promise<Session | null> {
    const { store } = this.#options;
    const guard = parseGuard(text ?? null);
    const verdict = judgeGuard(guard, { runId: connection.runId, store: store.id });
    if (verdict === "foreign")
      throw new StoreMismatchError(`Redis holds the state of log ${guard?.store}, this is log ${store.id}`);
    if (verdict === "restore" || guard === null || typeof text !== "string") return null;
    const usable = (turns: AppendTurns): Session | null =>
      judgeWriter(turns.writer, guard.epoch) === "use" ? session(turns, text) : null;
    if (this.#turns === undefined || judgeWriter(this.#turns.writer, guard.epoch) === "replace")
      return this.#enter(guard.epoch).then(usable);
    return usable(this.#turns);
  }

  /** @throws RestoringError where it takes longer than the patience; it goes on then */
  async restore(): Promise<void> {
    const { restorePatience } = this.#options;
    const restored = this.#recover(this.#turns?.writer.over ? this.epoch : 0);
    if (restorePatience === Infinity) return restored;
    const patience = new AbortController();
    try {
      await Promise.race([
        restored,
        sleep(restorePatience, undefined, { signal: patience.signal }).then(() => {
          restored.catch(() => undefined);
          throw new RestoringError(`the state is not there yet, ${restorePatience} ms after it was asked for`);
        }),
      ]);
    } finally {
      patience.abort();
    }
  }

  /** The notes as text. */
  prepare(images: Write["images"], meta: unknown): string {
    for (const key of images.keys())
      if (isInternal(key)) throw new TypeError(`${key} is not a key of the state: log:* and occ:* are reserved`);
    return encodeNotes(notesOf(meta));
  }

  stage(current: Session, writes: readonly Write[]): Command[] {
    const { epoch, writer, own, layout } = current;
    const { indexes, commit } = this.#options;
    const now = this.#options.now();
    const at = now.toISOString();
    for (const { images, meta } of writes) {
      const tx = `${this.#process}-${++this.#commits}`;
      own.push({ tx, body: encodeBody(at, tx, meta as string, images), images });
    }
    const commands: Command[] = [];
    if (writer.durable !== null && own.length > 0) commands.push(trimTail(epoch, writer.durable));
    // What this process has enqueued itself it need not be told again: it becomes durable before anything enqueued later.
    layout.tail = commands.push(readTailAfter(epoch, writer.enqueued)) - 1;
    layout.last =
      commands.push(
        ...appendToTail(
          epoch,
          own.map(({ body }) => body),
          commit,
        ),
      ) - 1;
    // Only these, before the last write of each is told from the others: most keys are in no index.
    const indexed = new Map<string, Indexed>();
    for (const { images } of writes) {
      for (const [key, image] of images)
        if (prefixOf(key, indexes) !== undefined) indexed.set(key, { present: image !== null, at: now.getTime() });
    }
    commands.push(...indexCommands(indexes, indexed));
    return commands;
  }

  executed(current: Session, _writes: readonly Write[], replies: readonly Reply[]): Promise<void> {
    const { writer, turns, guard, own, layout } = current;
    const others = parseTail(replies[layout.tail]);
    const mine = own.length > 0 ? numbered(own, parseId(replies[layout.last])) : [];
    const last = mine.at(-1) ?? others.at(-1);
    // A group in which all refused has seen what is still on its way to the log: it waits for that.
    const appended = last ? turns.append([...others, ...mine], last.n, { others, guard }) : writer.flush();
    return appended.catch((error: unknown) => this.#outcomes.resolve(error, last ?? null));
  }

  /**
   * Between two groups lies the append of the first: a group that began earlier would execute, and then wait for that all the
   * same. Not for one that hangs: whoever comes shall find out what is the matter.
   */
  idle(): Promise<void> {
    const appended = this.#turns?.writer.latest;
    if (appended === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LONGEST_IDLE);
      const settled = (): void => {
        clearTimeout(timer);
        resolve();
      };
      // Of a failure those are told whom it concerns.
      appended.then(settled, settled);
    });
  }

  readCommands(): Command[] {
    return [readTailAfter(this.epoch, this.#turns?.writer.enqueued ?? null)];
  }

  async observed(current: Session, keys: readonly string[], replies: readonly Reply[]): Promise<void> {
    const { writer, turns, guard } = current;
    const others = parseTail(replies[0]).filter(({ n }) => n > (writer.enqueued ?? -1));
    const last = others.at(-1);
    // A read that names no keys may have seen any: it waits for all.
    const seen = keys.length > 0 ? new Set(keys) : null;
    const touched = others.some((entry) => seen === null || [...keysOf(entry)].some((key) => seen.has(key)));
    const awaited = readWaitsFor(touched, seen === null || writer.isPending(keys));
    if (awaited === "nothing") return;
    try {
      await (awaited === "the tail" && last ? turns.append(others, last.n, { others, guard }) : writer.flush());
    } catch (error) {
      await this.#outcomes.resolve(error, null);
    }
  }

  async recall(current: Session, _writes: readonly Write[], ran: "ran" | "unknown"): Promise<boolean> {
    if (ran === "ran") {
      const held = await this.#appendTail(current);
      if (held !== "other state") return true;
    }
    // The state that it ran on is gone. Whether its records got into the history is for the next epoch to say.
    return this.#outcomes.isRecorded(current.epoch, current.own[0]?.tx);
  }

  async halfDone(current: Session, writes: readonly Write[], connection: Connection): Promise<boolean> {
    try {
      const [, guard] = await connection.pipeline([
        ["watch", GUARD],
        ["get", GUARD],
      ]);
      if (guard === current.guard) await connection.transaction([["del", GUARD]]);
      else await connection.pipeline([["unwatch"]]);
    } catch (error) {
      // The guard only tells the others earlier: the recovery that follows ends the epoch in any case.
      if (!(error instanceof ConnectionLostError)) throw error;
    }
    return this.recall(current, writes, "unknown");
  }

  /** What was executed is appended first: its callers can still have their answers, and the epoch goes on without this process. */
  async close(): Promise<void> {
    this.#closing.abort();
    // Nothing touches the store any more once this has resolved.
    await this.#restoring?.catch(() => undefined);
    this.#turns?.close();
    await this.#turns?.writer.flush().catch(() => undefined);
    this.#turns?.writer.close();
  }

  /** The writer for an epoch that this process has not worked in before; that of a later one where it has got there meanwhile. */
  async #enter(epoch: number): Promise<AppendTurns> {
    const { store, open, commit } = this.#options;
    await askWhetherFit(open, store, commit);
    const begun = (await store.begins()).has(epoch);
    if (!begun) throw new StoreMismatchError(`Redis is in epoch ${epoch}, which log ${store.id} does not know`);
    // Groups and reads may have come here at the same time, and some with an answer from before the last restore.
    const present = this.#turns;
    if (present !== undefined && judgeWriter(present.writer, epoch) !== "replace") return present;
    this.#turns = new AppendTurns(new EpochWriter(store, epoch), open);
    present?.close();
    present?.writer.close();
    return this.#turns;
  }

  /** One recovery at a time in this process, for all that wait. */
  async #recover(over: number): Promise<void> {
    const { signal } = this.#closing;
    this.#restoring ??= recover({ ...this.#options, signal }, over).finally(() => (this.#restoring = undefined));
    await this.#restoring;
  }

  /** Makes all that the tail holds durable, where Redis still has the session's state. */
  async #appendTail(current: Session): Promise<"durable" | "other state"> {
    const connection = await this.#options.open();
    try {
      const replies = await connection.transaction([
        ["get", GUARD],
        readTailAfter(current.epoch, current.writer.enqueued),
      ]);
      if (replies?.[0] !== current.guard) return "other state";
      const entries = parseTail(replies[1] as Reply);
      const last = entries.at(-1);
      await (last ? current.writer.append(entries, last.n) : current.writer.flush());
      return "durable";
    } catch (error) {
      if (error instanceof EpochOverError) return "other state";
      throw error;
    } finally {
      connection.close();
    }
  }
}

function session(turns: AppendTurns, guard: string): Session {
  const { writer } = turns;
  return { epoch: writer.epoch, writer, turns, guard, own: [], layout: { tail: 0, last: 0 } };
}

/** A group's entries: all are made at one instant, so that their numbers end with the last one's. */
function numbered(own: Session["own"], { epoch, n }: Position): Entry[] {
  return own.map(({ body, images }, i) => ({ epoch, n: n - own.length + 1 + i, body, images }));
}

function notesOf(meta: unknown): Readonly<Record<string, unknown>> {
  return typeof meta === "object" && meta !== null ? (meta as Record<string, unknown>) : {};
}
