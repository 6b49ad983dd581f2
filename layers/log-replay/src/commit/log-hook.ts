import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ClosedError,
  ConnectionLostError,
  type Beyond,
  type Command,
  type CommitHook,
  type CommitMode,
  type Connection,
  type Premise,
  type Probe,
  type Reply,
  type Write,
} from "redis-occ";
import { AppendTurns } from "./append-turns.ts";
import { Comparison, COMPARE_INTERVAL } from "./comparison.ts";
import { RestoringError } from "../errors.ts";
import { indexCommands, prefixOf, staysPresent, type Indexed } from "../redis/indexes.ts";
import { mismatch } from "../redis/mismatch.ts";
import { ASK_DATASET, readDataset } from "../redis/dataset.ts";
import { GUARD, LAST } from "../redis/keys.ts";
import { askWhetherFit } from "../redis/server-check.ts";
import { EpochOverError, EpochWriter } from "./epoch-writer.ts";
import { Outcomes } from "./outcome.ts";
import { assertReplayable, changesOf } from "./replayable.ts";
import { assertPermitted, neededFormat, permitsOf, WITH_ENDS } from "../format/version.ts";
import { isBehind, judgeGuard, judgeWriter, lastOver, parseGuard, readWaitsFor } from "../protocol.ts";
import { encodeBody, encodeNotes, keysOf, type Entry, type Position } from "../format/record.ts";
import type { RecoveryOptions } from "../recover/recovery.ts";
import { SharedRecovery } from "../recover/shared-recovery.ts";
import { appendToTail, parseId, parseTail, readTailAfter, trimTail } from "../redis/tail.ts";

/** One attempt of a group, or one read: the epoch that it runs in, and what it sends to the log. */
interface Session {
  readonly epoch: number;
  readonly writer: EpochWriter;
  readonly turns: AppendTurns;
  readonly guard: string;
  /** The entries of the group's writes, once they are on their way, without their numbers. */
  readonly own: (Required<Pick<Entry, "body" | "images">> & { readonly tx: string })[];
  /** Which of the replies is which, and the last commit that was known when the commands were staged. */
  readonly layout: { tail: number; last: number; seen: number };
  /** The name of the data's history. */
  readonly history: string;
  /** The time of the group's commit, where its keys' ends were counted from it. */
  at?: Date;
  /** The look for a claim, of a group of reads. */
  look?: Promise<void>;
}

/** What is asked along with each read, and what this process knew of the state before. */
interface StateProbe extends Probe {
  readonly epoch: number;
  readonly seen: number;
}

/** What a reply shows of the state. */
interface SeenState {
  readonly guard: string;
  readonly epoch: number;
  readonly last: number;
  readonly history: string;
}

const STATE = { keys: [LAST], commands: [ASK_DATASET] } as const satisfies Probe;

/** Milliseconds that a group waits for the append of the one before. */
const LONGEST_IDLE = 100;

export interface LogHookOptions extends Omit<RecoveryOptions, "signal"> {
  readonly commit: CommitMode;
  readonly now: () => Date;
  /** For the diagnostics channels. */
  readonly name: string | undefined;
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
  #isInStep = false;
  readonly #outcomes: Outcomes;
  readonly #recovery: SharedRecovery;
  readonly #comparison: Comparison;
  /** The last epoch that was found to have a format that lacks what this process is to write. */
  #outgrown = 0;
  #interval: NodeJS.Timeout | undefined;

  constructor(options: LogHookOptions) {
    this.#options = options;
    this.#recovery = new SharedRecovery({ ...options, signal: this.#closing.signal });
    this.#comparison = new Comparison(options.store);
    this.#outcomes = new Outcomes({
      store: options.store,
      recover: (over) => this.#recovery.recover(over),
      open: options.open,
      closing: this.#closing.signal,
    });
  }

  /** The epoch that this process last worked in; 0 before the first. */
  get epoch(): number {
    return this.#turns?.writer.epoch ?? 0;
  }

  /** Whether this process came upon a state in step with the log when it looked last. */
  get isInStep(): boolean {
    return this.#isInStep;
  }

  /** What identifies the data, and how far they are. */
  probe(): StateProbe {
    return { ...STATE, epoch: this.epoch, seen: this.#turns?.writer.seen ?? 0 };
  }

  check(
    [text]: readonly (string | null)[],
    connection: Connection,
    [last, info]: readonly Reply[],
    probe: Probe,
  ): Session | null | Promise<Session | null> {
    const { store } = this.#options;
    const guard = parseGuard(text ?? null);
    const dataset = readDataset(info, connection);
    const verdict = judgeGuard(guard, { ...dataset, store: store.id });
    if (verdict === "foreign") throw mismatch(`Redis holds the state of log ${guard?.store}, this is log ${store.id}`);
    if (verdict !== "fine" || guard === null || typeof text !== "string") return null;
    const { epoch, seen } = probe as StateProbe;
    const state = { guard: text, epoch: guard.epoch, last: Number(last ?? NaN), history: dataset.replid };
    const turns = this.#turns;
    if (turns === undefined || judgeWriter(turns.writer, guard.epoch) === "replace")
      return this.#enter(guard.epoch).then((entered) => entered && this.#use(entered, state, connection));
    const before = epoch === guard.epoch ? seen : 0;
    if (
      judgeWriter(turns.writer, guard.epoch) === "use" &&
      (isBehind(state.last, before) || Number.isNaN(state.last))
    ) {
      turns.writer.goneBack(`commit ${before} has been there, and the state ends with ${state.last}`);
      return null;
    }
    return this.#use(turns, state, connection);
  }

  premise({ history, writer }: Session): Premise {
    return { history, counter: { key: LAST, least: writer.seen } };
  }

  leadsElsewhere({ runId }: Connection): boolean {
    const { server } = this.#recovery;
    return server !== undefined && runId !== server;
  }

  /** @throws RestoringError if it takes longer than the patience; it then goes on */
  async restore(): Promise<void> {
    const { restorePatience } = this.#options;
    this.#isInStep = false;
    const restored = this.#recovery.recover(Math.max(this.#outgrown, lastOver(this.#turns?.writer)));
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

  /** Resolves once the restore that this process makes has ended; at once where it makes none. */
  restored(): Promise<void> {
    return this.#recovery.restored();
  }

  /** The notes as text. */
  prepare(images: Write["images"], meta: unknown, beyond?: Beyond): string {
    assertReplayable(images, beyond, this.#options);
    return encodeNotes(notesOf(meta));
  }

  endsFrom(current: Session): number | undefined {
    if (current.writer.format < WITH_ENDS) return undefined;
    current.at = this.#options.now();
    return current.at.getTime();
  }

  stage(current: Session, writes: readonly Write[]): Command[] {
    const { epoch, writer, own, layout } = current;
    const { indexes, commit } = this.#options;
    const now = current.at ?? this.#options.now();
    const at = now.toISOString();
    for (const write of writes) {
      const tx = `${this.#process}-${++this.#commits}`;
      const { images, hashes } = changesOf(write);
      const body = encodeBody(at, tx, write.meta as string, images, write.ends, hashes);
      own.push({ tx, body, images: hashes === undefined ? images : new Map<string, unknown>([...images, ...hashes]) });
    }
    const commands: Command[] = [];
    if (writer.durable !== null && own.length > 0) commands.push(trimTail(epoch, writer.durable));
    // This process need not be told what it has enqueued itself, which becomes durable before anything that is enqueued
    // later.
    layout.tail = commands.push(readTailAfter(epoch, writer.enqueued)) - 1;
    const bodies = own.map(({ body }) => body);
    const appended = appendToTail(epoch, bodies, commit);
    layout.last = commands.length + appended.last;
    commands.push(...appended.commands);
    layout.seen = writer.seen;
    // Only these are collected before the last write of each key is found, because most keys are in no index.
    const indexed = new Map<string, Indexed>();
    for (const { images, ends } of writes) {
      for (const [key, image] of images)
        if (prefixOf(key, indexes) !== undefined)
          indexed.set(key, { present: staysPresent(image, ends?.get(key)), at: now.getTime() });
    }
    commands.push(...indexCommands(indexes, indexed));
    return commands;
  }

  executed(current: Session, _writes: readonly Write[], replies: readonly Reply[]): Promise<void> {
    const { writer, turns, guard, own, layout } = current;
    const others = parseTail(replies[layout.tail]);
    const mine = own.length > 0 ? numbered(own, parseId(replies[layout.last])) : [];
    const last = mine.at(-1) ?? others.at(-1);
    const tx = own[0]?.tx;
    const first = mine[0];
    if (first !== undefined && isBehind(first.n - 1, layout.seen)) {
      const error = writer.goneBack(`commit ${layout.seen} has been there, and the next one was number ${first.n}`);
      return this.#outcomes.resolve(error, first, tx);
    }
    // A group in which all refused waits for what it has seen and what is still on its way to the log.
    const appended = last ? turns.append([...others, ...mine], last.n, { others, guard }) : writer.flush();
    // One that wrote nothing has only read, however much it helped to append.
    return appended
      .then(() => (mine.length > 0 ? undefined : writer.confirm()))
      .catch((error: unknown) => this.#outcomes.resolve(error, mine.at(-1) ?? null, tx));
  }

  /**
   * Between two groups lies the append of the first: a group that began earlier would execute and then wait for that
   * all the same. It does not wait for an append that hangs, so that whoever comes finds out what is the matter.
   */
  idle(): Promise<void> {
    const appended = this.#turns?.writer.latest;
    if (appended === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LONGEST_IDLE);
      const goOn = (): void => {
        clearTimeout(timer);
        resolve();
      };
      // Only those whom a failure concerns are told.
      appended.then(goOn, goOn);
    });
  }

  readCommands(): Command[] {
    return [readTailAfter(this.epoch, this.#turns?.writer.enqueued ?? null)];
  }

  async observed(current: Session, keys: readonly string[], replies: readonly Reply[]): Promise<void> {
    const { writer, turns, guard } = current;
    const others = parseTail(replies[0]).filter(({ n }) => n > (writer.enqueued ?? -1));
    const last = others.at(-1);
    // A read that names no keys may have seen any, so it waits for all.
    const seen = keys.length > 0 ? new Set(keys) : null;
    const touched = others.some((entry) => seen === null || [...keysOf(entry)].some((key) => seen.has(key)));
    const awaited = readWaitsFor(touched, seen === null || writer.isPending(keys));
    try {
      if (awaited === "the tail" && last) await turns.append(others, last.n, { others, guard });
      else if (awaited === "own appends") await writer.flush();
      // One look for all reads of a MULTI. Only now, because whoever claims later has yet to restore and to answer.
      await (current.look ??= writer.confirm());
    } catch (error) {
      await this.#outcomes.resolve(error, null, undefined);
    }
  }

  async recall(current: Session, _writes: readonly Write[], ran: "ran" | "unknown"): Promise<boolean> {
    if (ran === "ran") {
      const held = await this.#appendTail(current);
      if (held !== "other state") return true;
    }
    // The state that it ran on is gone. The next epoch decides whether its records are in the history.
    return this.#outcomes.isRecorded(current.epoch, current.own[0]?.tx, current.layout.seen);
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
      // Deleting the guard only tells the others earlier: the recovery that follows ends the epoch in any case.
      if (!(error instanceof ConnectionLostError)) throw error;
    }
    return this.recall(current, writes, "unknown");
  }

  /**
   * What was executed is appended first, so that its callers can still have their answers, and the epoch goes on
   * without this process.
   */
  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#interval);
    // Nothing touches the store any more once this has resolved.
    await this.#recovery.idle();
    this.#turns?.close();
    await this.#turns?.writer.flush().catch(() => undefined);
    this.#turns?.writer.close();
  }

  /**
   * The writer for an epoch that this process has not worked in before, or that of a later epoch if it has got there
   * meanwhile.
   * @returns null where the epoch has to end, because its records cannot say what this process is to write
   * @throws FormatError where this process would not know a hash
   */
  async #enter(epoch: number): Promise<AppendTurns | null> {
    const { store, open, commit, name } = this.#options;
    const begin = await store.begin(epoch);
    if (begin === undefined) throw mismatch(`Redis is in epoch ${epoch}, which log ${store.id} does not know`);
    const writer = new EpochWriter(store, epoch, begin, name);
    const needed = neededFormat(this.#options);
    assertPermitted(writer.format, this.#options, `log ${store.id}`);
    await askWhetherFit(open, { commit, ...permitsOf(Math.max(needed, writer.format)) });
    if (needed > writer.format) {
      this.#outgrown = epoch;
      return null;
    }
    if (this.#closing.signal.aborted) throw new ClosedError();
    // Groups and reads may have come here at the same time, and some with an answer from before the last restore.
    const present = this.#turns;
    if (present !== undefined && judgeWriter(present.writer, epoch) !== "replace") return present;
    this.#turns = new AppendTurns(writer, open);
    this.#interval ??= setInterval(() => void this.#turns?.writer.verify(), COMPARE_INTERVAL).unref();
    present?.close();
    present?.writer.close();
    return this.#turns;
  }

  /** A session, once the state is known to be in step with the log. */
  #use(turns: AppendTurns, state: SeenState, connection: Connection): Session | null | Promise<Session | null> {
    const { writer } = turns;
    if (judgeWriter(writer, state.epoch) !== "use") return null;
    writer.sees(state.last);
    const used: Session = {
      epoch: writer.epoch,
      writer,
      turns,
      guard: state.guard,
      own: [],
      layout: { tail: 0, last: 0, seen: 0 },
      history: state.history,
    };
    const inStep = this.#comparison.isInStep(writer, state.guard, connection);
    const judged = (isIt: boolean): Session | null => {
      this.#isInStep = isIt;
      return isIt ? used : null;
    };
    return typeof inStep === "boolean" ? judged(inStep) : inStep.then(judged);
  }

  /** Makes all that the tail holds durable, if Redis still has the session's state. */
  async #appendTail(current: Session): Promise<"durable" | "other state"> {
    const connection = await this.#options.open();
    try {
      const { epoch, writer, guard, history } = current;
      const { seen } = writer;
      const [text, info, last, tail] = (await connection.transaction([
        ["get", GUARD],
        ASK_DATASET,
        ["get", LAST],
        readTailAfter(epoch, writer.enqueued),
      ])) as Reply[];
      const isSame = text === guard && readDataset(info, connection).replid === history;
      if (!isSame || isBehind(Number(last), seen)) return "other state";
      const entries = parseTail(tail);
      const end = entries.at(-1);
      await (end ? writer.append(entries, end.n) : writer.flush());
      return "durable";
    } catch (error) {
      if (error instanceof EpochOverError) return "other state";
      throw error;
    } finally {
      connection.close();
    }
  }
}

/** A group's entries. All are made at one instant, so their numbers end with the last one's. */
function numbered(own: Session["own"], { epoch, n }: Position): Entry[] {
  return own.map(({ body, images }, i) => ({ epoch, n: n - own.length + 1 + i, body, images }));
}

function notesOf(meta: unknown): Readonly<Record<string, unknown>> {
  return typeof meta === "object" && meta !== null ? (meta as Record<string, unknown>) : {};
}
