import { backoff } from "./backoff.ts";
import type { Command, Connection, Reply } from "./connection.ts";
import { asOccError, ConnectionLostError, TimeoutError } from "./errors.ts";
import { NO_PROBE, RolledBackError, type CommitHook } from "./hook.ts";
import { closeThoseElsewhere, valuesOf, type Lane } from "./lane.ts";
import type { Pool } from "./pool.ts";
import { assertText } from "./transaction.ts";

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
  readonly random: () => number;
}

/** What one caller waits for: values of keys, or replies to commands that only read. */
class Read {
  readonly keys: readonly string[];
  readonly commands: readonly Command[];
  readonly answer: Promise<Reply[]>;
  attempts = 0;
  lastProblem: Error | undefined;
  answered = false;
  readonly #timer: NodeJS.Timeout;
  #resolve!: (replies: Reply[]) => void;
  #reject!: (error: unknown) => void;

  constructor(keys: readonly string[], commands: readonly Command[], timeout: number) {
    this.keys = keys;
    this.commands = commands;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#timer = setTimeout(() => {
      this.fail(new TimeoutError(`no answer within ${timeout} ms`, { cause: this.lastProblem }));
    }, timeout);
  }

  conclude(replies: Reply[]): void {
    clearTimeout(this.#timer);
    this.answered = true;
    this.#resolve(replies);
  }

  fail(error: unknown): void {
    clearTimeout(this.#timer);
    this.answered = true;
    this.#reject(error);
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

  /** The values of `keys`, null where there is none. @param timeout milliseconds */
  async values(keys: readonly string[], timeout: number): Promise<(string | null)[]> {
    keys.forEach(assertText);
    const read = new Read(keys, [], timeout);
    if (keys.length > MAX_SHARED_KEYS) this.#alone(read);
    else this.#submit([read]);
    return (await read.answer) as (string | null)[];
  }

  /** The replies to `commands`, which must only read. @param timeout milliseconds */
  query(commands: readonly Command[], timeout: number): Promise<Reply[]> {
    const read = new Read([], commands, timeout);
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
    // All that is asked for in this turn of the event loop belongs to the first group.
    await Promise.resolve();
    while (this.#queue.length > 0) {
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
    try {
      const checked = await pool.with(({ connection }) => this.#round(connection, open, again));
      if (checked) return;
      await hook.restore();
      closeThoseElsewhere(pool, hook);
    } catch (error) {
      if (!(error instanceof ConnectionLostError)) return open.forEach((read) => read.fail(error));
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
    const { hook } = this.#options;
    const keys = [...new Set(group.flatMap((read) => read.keys))];
    const fetched = [...hook.watch, ...keys];
    const probe = hook.probe?.() ?? NO_PROBE;
    const added = hook.readCommands();
    const asked = 1 + probe.commands.length;
    const replies = await connection.transaction([
      valuesOf(fetched),
      ...probe.commands,
      ...added,
      ...group.flatMap((read) => read.commands),
    ]);
    if (replies === null) throw new ConnectionLostError("the connection still watched a key");
    const failure = replies.slice(0, asked + added.length).find((reply) => reply instanceof Error);
    if (failure !== undefined) throw asOccError(failure);
    const values = fetched.length > 0 ? (replies[0] as (string | null)[]) : [];
    const told = replies.slice(1, asked) as Reply[];
    const session = await hook.check(values.slice(0, hook.watch.length), connection, told, probe);
    if (session === null) return false;

    const valueOf = new Map(keys.map((key, i) => [key, values[hook.watch.length + i] ?? null]));
    const hookReplies = replies.slice(asked, asked + added.length) as Reply[];
    let next = asked + added.length;
    for (const read of group) {
      const own = replies.slice(next, (next += read.commands.length));
      const refusal = own.find((reply) => reply instanceof Error);
      if (refusal !== undefined) {
        read.fail(asOccError(refusal));
        continue;
      }
      const answer = read.commands.length > 0 ? (own as Reply[]) : read.keys.map((key) => valueOf.get(key) ?? null);
      // Within an async function, what the hook throws at once concerns only this read.
      (async () => hook.observed(session, read.keys, hookReplies))().then(
        () => read.conclude(answer),
        (error: unknown) => (error instanceof RolledBackError ? again([read]) : read.fail(error)),
      );
    }
    return true;
  }
}
