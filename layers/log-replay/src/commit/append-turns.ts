import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection, Reply } from "redis-occ";
import { ASK_DATASET, readDataset } from "../redis/dataset.ts";
import { GUARD, LAST, TURN } from "../redis/keys.ts";
import type { EpochWriter } from "./epoch-writer.ts";
import { isBehind, judgeGuard, parseGuard } from "../protocol.ts";
import { processOf, type Entry } from "../format/record.ts";
import { parseTail, readTailAfter, trimTail } from "../redis/tail.ts";

/** With this many other processes in the tail it pays to take turns. With fewer, each appends at once what it sees. */
const CROWD = 4;
/** Appends in a row that saw nobody else's commit, after which this process appends at once again. */
const ALONE = 32;
/** Milliseconds for which a turn keeps the others waiting, whatever became of its holder. */
const TURN_LIFE = 250;
/** Milliseconds between two looks at the tail, at first and at most. */
const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 8;

interface Waiter {
  readonly entries: readonly Entry[];
  readonly upTo: number;
  readonly guard: string;
  readonly resolve: (appended: Promise<void>) => void;
}

/**
 * Many processes that all append the whole tail write each record many times: 75 times with 100 of them. So when it is
 * crowded they take turns: one appends for all and trims the tail, and the others wait until nothing of theirs is left
 * in it.
 *
 * A turn is a hint and no lock: whoever gets no further appends at once, as all do where processes are few, and a
 * record that is in the log twice is the same record. An entry leaves the tail only once it is durable and was so
 * before the epoch was over. So what has left it while the guard is unchanged is durable.
 */
export class AppendTurns {
  readonly writer: EpochWriter;
  readonly #open: () => Promise<Connection>;
  readonly #token = randomBytes(6).toString("hex");
  #connection: Connection | undefined;
  #waiting: Waiter[] = [];
  #running = false;
  #crowded = false;
  #alone = 0;
  #closed = false;

  constructor(writer: EpochWriter, open: () => Promise<Connection>) {
    this.writer = writer;
    this.#open = open;
  }

  /**
   * As `EpochWriter.append`, in turns with the other processes where there are many.
   * @param others the entries among `entries` that are of other transactions than this caller's
   * @param guard as it was when the entries were read
   */
  append(
    entries: readonly Entry[],
    upTo: number,
    { others, guard }: { readonly others: readonly Entry[]; readonly guard: string },
  ): Promise<void> {
    this.#look(others);
    if (!this.#crowded || this.#closed || this.writer.over) return this.writer.append(entries, upTo);
    return new Promise((resolve) => {
      this.#waiting.push({ entries, upTo, guard, resolve });
      if (!this.#running) void this.#run();
    });
  }

  /** Whoever waits appends at once. */
  close(): void {
    this.#closed = true;
    this.#appendAtOnce();
    this.#connection?.close();
  }

  #look(others: readonly Entry[]): void {
    if (others.length === 0) {
      if (++this.#alone >= ALONE) this.#crowded = false;
      return;
    }
    this.#alone = 0;
    this.#crowded ||= new Set(others.map(({ body }) => processOf(body))).size >= CROWD;
  }

  /** Never rejects. Those who wait get each failure. */
  async #run(): Promise<void> {
    this.#running = true;
    let pause = FIRST_PAUSE;
    while (this.#waiting.length > 0) {
      try {
        pause = (await this.#tryTurn()) ? FIRST_PAUSE : Math.min(2 * pause, LONGEST_PAUSE);
      } catch {
        this.#appendAtOnce();
      }
      if (this.#waiting.length > 0) await sleep(pause * (0.5 + Math.random() / 2));
    }
    this.#running = false;
  }

  /**
   * Takes a turn if nobody has one; otherwise looks whose entries have left the tail.
   * @returns whether anybody got further by it
   * @throws Error if Redis does not tell, or no longer has the state that the entries were read from
   */
  async #tryTurn(): Promise<boolean> {
    const { writer } = this;
    const connection = await this.#connected();
    const waiting = [...this.#waiting];
    // Of now: what others show meanwhile is later than the reply.
    const { seen } = writer;
    const replies = await connection.transaction([
      ["get", GUARD],
      ["set", TURN, this.#token, "NX", "PX", TURN_LIFE],
      ASK_DATASET,
      ["get", LAST],
      readTailAfter(writer.epoch, writer.enqueued),
    ]);
    const [guard, turn, info, reached, tail] = (replies ?? []) as Reply[];
    const held = parseGuard(typeof guard === "string" ? guard : null);
    const isSame =
      held !== null && judgeGuard(held, { ...readDataset(info, connection), store: held.store }) === "fine";
    // Data that went back lack what is not durable, so it would mean nothing that an entry has left the tail.
    if (isSame && isBehind(Number(reached), seen)) throw writer.goneBack("the state is behind what was seen");
    if (!isSame || waiting.some((waiter) => waiter.guard !== guard)) throw new Error("the state is another one");
    const entries = parseTail(tail);
    const last = entries.at(-1);
    if (turn === "OK") {
      if (last !== undefined) await writer.append(entries, last.n);
      // Before anybody is answered, because a function may be frozen right after that.
      const trim = writer.durable === null ? [] : [trimTail(writer.epoch, writer.durable)];
      const released = connection.transaction([...trim, ["del", TURN]]);
      this.#letGo(waiting);
      await released;
      return true;
    }
    const first = entries[0]?.n ?? Infinity;
    return this.#letGo(waiting.filter(({ upTo }) => upTo < first)) > 0;
  }

  /**
   * Lets those go on whose commits are durable, or are being made durable by this process. The writer looks for the
   * claim.
   */
  #letGo(waiters: readonly Waiter[]): number {
    const released = this.#waiting.filter((waiter) => waiters.includes(waiter));
    this.#waiting = this.#waiting.filter((waiter) => !waiters.includes(waiter));
    for (const { upTo, resolve } of released) resolve(this.writer.append([], upTo));
    return released.length;
  }

  #appendAtOnce(): void {
    for (const { entries, upTo, resolve } of this.#waiting.splice(0)) resolve(this.writer.append(entries, upTo));
  }

  async #connected(): Promise<Connection> {
    if (this.#connection === undefined || this.#connection.broken) this.#connection = await this.#open();
    // Meanwhile nobody may wait any more who would close it.
    if (this.#closed) throw this.#connection.lose("the epoch is left");
    return this.#connection;
  }
}
