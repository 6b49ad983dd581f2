import { setImmediate } from "node:timers/promises";
import { backoff } from "./backoff.ts";
import type { Command } from "./command.ts";
import type { Connection, Reply } from "./connection.ts";
import {
  AbortedError,
  asOccError,
  ConnectionLostError,
  isRefusedForGood,
  TimeoutError,
  WrongTypeError,
  type OccError,
} from "./errors.ts";
import { NO_PROBE, RolledBackError, type CommitHook } from "./hook.ts";
import { closeThoseElsewhere, countOf, otherTypes, parted, valuesBeside, type Lane } from "./lane.ts";
import type { Pool } from "./pool.ts";
import { Waiting } from "./waiting.ts";

/**
 * Reads with more keys than this, or with commands of their own, do not share a MULTI, so that short reads need not
 * wait for them.
 */
const MAX_SHARED_KEYS = 100;
/** Keys of all reads that share a MULTI. */
const MAX_GROUP_KEYS = 2_000;

export interface ReaderOptions {
  readonly pool: Pool<Lane>;
  readonly hook: CommitHook;
  /** See OccOptions. */
  readonly dedicated: boolean;
  readonly random: () => number;
}

/** Milliseconds, and what may end it before. */
interface Limits {
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
}

/** What one caller waits for: values of keys, or replies to commands that only read. */
class Read extends Waiting<Reply[]> {
  readonly keys: readonly string[];
  readonly commands: readonly Command[];

  constructor(keys: readonly string[], commands: readonly Command[], { timeout, signal }: Limits) {
    super(timeout, signal);
    this.keys = keys;
    this.commands = commands;
  }

  protected override expired(timeout: number): OccError {
    return new TimeoutError(`no answer within ${timeout} ms`, { cause: this.lastProblem });
  }

  protected override aborted(reason: unknown): OccError {
    return new AbortedError("the read was aborted", { cause: reason });
  }
}

/**
 * Reads in groups: while one MULTI is under way, whoever comes waits for the next one and shares it. One read sees
 * everything at one instant, together with what the hook checks.
 */
export class Reader {
  readonly #options: ReaderOptions;
  #queue: Read[] = [];
  #running = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** The values of `keys`, null where there is none. */
  async values(keys: readonly string[], limits: Limits): Promise<(string | null)[]> {
    const read = new Read(keys, [], limits);
    if (keys.length > MAX_SHARED_KEYS) this.#alone(read);
    else this.#submit([read]);
    return (await read.answer) as (string | null)[];
  }

  /** The replies to `commands`, which must only read. */
  query(commands: readonly Command[], limits: Limits): Promise<Reply[]> {
    const read = new Read([], commands, limits);
    this.#alone(read);
    return read.answer;
  }

  #alone(read: Read): void {
    void this.#attempt([read], ([again]) => again && this.#alone(again));
  }

  #submit(reads: readonly Read[]): void {
    this.#queue.push(...reads);
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#queue.length > 0) {
      // All that is asked for in this turn of the event loop belongs to the group.
      await setImmediate();
      await this.#attempt(this.#take(), (reads) => this.#submit(reads));
    }
    this.#running = false;
  }

  #take(): Read[] {
    let keys = 0;
    const beyond = this.#queue.findIndex((read) => (keys += read.keys.length) > MAX_GROUP_KEYS);
    return this.#queue.splice(0, beyond === -1 ? this.#queue.length : beyond);
  }

  /** Never rejects. The reads that a failure concerns get it as their answer. */
  async #attempt(group: readonly Read[], again: (reads: readonly Read[]) => void): Promise<void> {
    const { pool, hook, random } = this.#options;
    const open = group.filter((read) => !read.answered);
    if (open.length === 0) return;
    const lent = { begun: false };
    try {
      const checked = await pool.with(({ connection }) => {
        lent.begun = true;
        return this.#round(connection, open, again);
      });
      if (checked) return;
      await hook.restore();
      closeThoseElsewhere(pool, hook);
    } catch (error) {
      if (lent.begun && open.length > 1 && isRefusedForGood(error)) {
        // Each by itself, so that it is the error of the one that asked for it.
        for (const read of open) await this.#attempt([read], again);
        return;
      }
      if (!(error instanceof ConnectionLostError && error.transient)) return open.forEach((read) => read.fail(error));
      for (const read of open) read.lastProblem = error;
    }
    for (const read of open) read.attempts++;
    await backoff(Math.max(...open.map(({ attempts }) => attempts)), random);
    again(open);
  }

  /** One MULTI for the group. @returns false if the hook found something missing that has to be restored first */
  async #round(
    connection: Connection,
    group: readonly Read[],
    again: (reads: readonly Read[]) => void,
  ): Promise<boolean> {
    const { hook, dedicated } = this.#options;
    const keys = [...new Set(group.flatMap((read) => read.keys))];
    const probe = hook.probe?.() ?? NO_PROBE;
    const added = hook.readCommands();
    const count = countOf(keys, dedicated);
    const asked = 1 + probe.commands.length;
    const replies = await connection.transaction([
      valuesBeside(probe, [...hook.watch, ...keys]),
      ...probe.commands,
      ...added,
      ...count,
      ...group.flatMap((read) => read.commands),
    ]);
    if (replies === null) throw new ConnectionLostError("the connection still watched a key");
    let next = asked + added.length + count.length;
    const failure = replies.slice(0, next).find((reply) => reply instanceof Error);
    if (failure !== undefined) throw asOccError(failure);
    const [probed, values] = parted(replies[0], probe);
    const told = [...probed, ...(replies.slice(1, asked) as Reply[])];
    const session = await hook.check(values.slice(0, hook.watch.length), connection, told, probe);
    if (session === null) return false;

    const valueOf = new Map(keys.map((key, i) => [key, values[hook.watch.length + i] ?? null]));
    const existing = count.length > 0 ? (replies[next - 1] as number) : undefined;
    const types = await otherTypes(connection, keys, values.slice(hook.watch.length), existing);
    const hookReplies = replies.slice(asked, asked + added.length) as Reply[];
    for (const read of group) {
      const other = types && read.keys.find((key) => types.has(key));
      if (types !== undefined && other !== undefined) {
        read.fail(new WrongTypeError(other, types.get(other) ?? "", "string"));
        continue;
      }
      const own = replies.slice(next, (next += read.commands.length));
      const refusal = own.find((reply) => reply instanceof Error);
      if (refusal !== undefined) {
        read.fail(asOccError(refusal));
        continue;
      }
      const answer = read.commands.length > 0 ? (own as Reply[]) : read.keys.map((key) => valueOf.get(key) ?? null);
      // Within an async function, what the hook throws at once concerns only this read.
      (async () => hook.observed(session, read.keys, hookReplies))().then(
        () => read.resolve(answer),
        (error: unknown) => (error instanceof RolledBackError ? again([read]) : read.fail(error)),
      );
    }
    return true;
  }
}
