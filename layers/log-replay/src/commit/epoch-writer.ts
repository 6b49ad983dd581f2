import { appends, type AppendMessage } from "../diagnostics.ts";
import { failPoint } from "../fail-points.ts";
import { encodeFrame } from "../format/frame.ts";
import { keysOf, type Entry } from "../format/record.ts";
import { FORMAT } from "../format/version.ts";
import type { Begin, LogStore, SegmentWriter } from "../stores/store.ts";

/** A segment is closed and the next one begun once it has this many bytes, so that closed ones can be archived. */
const SEGMENT_BYTES = 16 * 1024 * 1024;

/** Appending the commits of an epoch no longer suffices to answer for them: a recovery decides what became of them. */
export class EpochOverError extends Error {
  override readonly name = "EpochOverError";
  /** True if the state went back, so that another commit may have the number of one that was executed before. */
  readonly wentBack: boolean;

  constructor(message: string, { wentBack = false, ...options }: ErrorOptions & { readonly wentBack?: boolean } = {}) {
    super(message, options);
    this.wentBack = wentBack;
  }
}

interface Request {
  readonly entries: readonly Entry[];
  readonly upTo: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * How long a look for a claim counts, by two clocks: one may stand still while a function is frozen, and the other may
 * be set.
 */
class Lease {
  readonly #milliseconds: number;
  #from = { steady: -Infinity, wall: -Infinity };

  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
  }

  static now(): { readonly steady: number; readonly wall: number } {
    return { steady: performance.now(), wall: Date.now() };
  }

  /** @param from before the look was made */
  begin(from: { readonly steady: number; readonly wall: number }): void {
    this.#from = from;
  }

  holds(): boolean {
    const { steady, wall } = Lease.now();
    const passed = Math.max(steady - this.#from.steady, wall - this.#from.wall);
    return this.#milliseconds > 0 && passed < this.#milliseconds;
  }
}

/** The commits whose numbers are compared: more than the groups of one process that are under way at the same time. */
const RECENT = 2_048;

/** Which commit has which number, among those that this process came upon last. */
class RecentCommits {
  readonly #numbers = new Float64Array(RECENT);
  readonly #names = new Int32Array(RECENT);

  add({ n, body }: Entry): void {
    this.#numbers[n % RECENT] = n;
    this.#names[n % RECENT] = hashOfName(body);
  }

  /** True if the number belongs to another commit. */
  differs({ n, body }: Entry): boolean {
    return this.#numbers[n % RECENT] === n && this.#names[n % RECENT] !== hashOfName(body);
  }
}

/** Where a body names its transaction: after its time, whose length is fixed. Nothing else of it is looked at. */
const NAME_FROM = `"at":"${new Date(0).toISOString()}",`.length;
const NAME_TO = NAME_FROM + 40;

function hashOfName(body: string): number {
  let hash = 0x811c9dc5;
  for (let i = NAME_FROM; i < NAME_TO; i++) {
    const code = body.charCodeAt(i);
    // The comma after the name.
    if (code === 44 || code !== code) break;
    hash = Math.imul(hash ^ code, 0x01000193);
  }
  return hash;
}

/**
 * This process's appends to the log during one epoch: group commit into a segment of its own.
 *
 * Frames are written one after the other, each with all that came while the one before was under way. So what is
 * enqueued becomes durable in order, and a commit need not look at the tail up to `enqueued`.
 */
export class EpochWriter {
  readonly epoch: number;
  /** The commit that the epoch goes on from. */
  readonly cut: number;
  /** Of its records. */
  readonly format: number;
  readonly #store: LogStore;
  readonly #name: string | undefined;
  /** The highest commit of each key that is enqueued and not yet durable. */
  readonly #pending = new Map<string, number>();
  #segment: SegmentWriter | undefined;
  #requests: Request[] = [];
  #latest: Promise<void> = Promise.resolve();
  #running = false;
  #over: EpochOverError | undefined;
  #enqueued: number | null = null;
  #durable: number | null = null;
  #seen = 0;
  readonly #recent = new RecentCommits();
  readonly #lease: Lease;

  /** @param name for the diagnostics channels */
  constructor(store: LogStore, epoch: number, { cut, format = FORMAT }: Begin, name: string | undefined) {
    this.#store = store;
    this.#name = name;
    this.epoch = epoch;
    this.cut = cut;
    this.format = format;
    this.#lease = new Lease(store.readLease ?? 0);
  }

  /** Everything up to this commit is durable, or this writer is making it so; null if nothing is known yet. */
  get enqueued(): number | null {
    return this.#enqueued;
  }

  /**
   * Everything up to this commit is durable, and the epoch was not over when it became so; null if nothing is known
   * yet.
   */
  get durable(): number | null {
    return this.#durable;
  }

  /** True once an append has failed or found the epoch sealed, or the state has gone back. */
  get over(): boolean {
    return this.#over !== undefined;
  }

  /** The last commit that this process knows the state to have. A state without it is an older one. */
  get seen(): number {
    return this.#seen;
  }

  sees(last: number): void {
    if (last > this.#seen) this.#seen = last;
  }

  /**
   * Gives the epoch up, because its state has gone back to an earlier one. No answer may rest on what was executed
   * since then.
   */
  goneBack(what: string): EpochOverError {
    this.#end("the state went back", new EpochOverError(`${what} in epoch ${this.epoch}`, { wentBack: true }));
    return this.#over as EpochOverError;
  }

  /**
   * Looks for a claim on the next epoch. A read that waits for no append rests on this look; otherwise an old server
   * would answer it for ever. @throws EpochOverError
   */
  async confirm(): Promise<void> {
    try {
      this.#assertGoesOn();
      if (this.#lease.holds()) return;
      await this.#look();
      // A commit that came back meanwhile may have shown that the state went back.
      this.#assertGoesOn();
    } catch (error) {
      this.#end("the look for a claim failed", error);
      throw this.#over as EpochOverError;
    }
  }

  #assertGoesOn(): void {
    if (this.#over) throw this.#over;
  }

  /** What was asked for last. Once it has ended, well or not, so have all before it. */
  get latest(): Promise<void> {
    return this.#latest;
  }

  /** True if a commit that is enqueued and not durable wrote one of the keys. */
  isPending(keys: readonly string[]): boolean {
    return this.#pending.size > 0 && keys.some((key) => this.#pending.has(key));
  }

  /**
   * Makes everything up to `upTo` durable.
   * @param entries all commits above `enqueued` up to `upTo`, in order, as far as they are not durable already
   * @throws EpochOverError
   */
  append(entries: readonly Entry[], upTo: number): Promise<void> {
    if (this.#over) return Promise.reject(this.#over);
    const taken = entries.find((entry) => this.#recent.differs(entry));
    if (taken !== undefined) return Promise.reject(this.goneBack(`number ${taken.n} has gone to two commits`));
    for (const entry of entries) this.#recent.add(entry);
    this.sees(upTo);
    const news = entries.filter(({ n }) => n > (this.#enqueued ?? -1));
    for (const entry of news) for (const key of keysOf(entry)) this.#pending.set(key, entry.n);
    this.#enqueued = Math.max(this.#enqueued ?? 0, upTo);
    if (news.length === 0 && this.#durable !== null && this.#durable >= upTo) return Promise.resolve();
    this.#latest = new Promise((resolve, reject) => {
      this.#requests.push({ entries: news, upTo, resolve, reject });
      if (!this.#running) void this.#run();
    });
    return this.#latest;
  }

  /** Waits for all that is enqueued. @throws EpochOverError */
  flush(): Promise<void> {
    return this.append([], this.#enqueued ?? 0);
  }

  /** Checks whether what was appended is still where it was, and gives the epoch up if not. Called at intervals. */
  async verify(): Promise<void> {
    try {
      await this.#segment?.verify?.();
    } catch (error) {
      this.#end("what was appended is no longer there", error);
    }
  }

  close(): void {
    this.#end("the writer was closed");
  }

  /** Never rejects. The requests get each failure. */
  async #run(): Promise<void> {
    this.#running = true;
    while (this.#requests.length > 0 && !this.#over) {
      const requests = this.#requests;
      this.#requests = [];
      try {
        await this.#write(requests.flatMap(({ entries }) => entries));
      } catch (error) {
        this.#end("an append failed", error);
        for (const { reject } of requests) reject(this.#over);
        break;
      }
      this.#durable = Math.max(this.#durable ?? 0, ...requests.map(({ upTo }) => upTo));
      this.#forgetDurable(this.#durable);
      for (const { resolve } of requests) resolve();
    }
    this.#running = false;
    // Only now, because an append that is under way may have yet to open its file.
    if (this.#over) this.#letGo();
  }

  #forgetDurable(durable: number): void {
    if (this.#enqueued !== null && this.#enqueued <= durable) return this.#pending.clear();
    for (const [key, n] of this.#pending) if (n <= durable) this.#pending.delete(key);
  }

  /** @throws if the frame may not be durable, or may not count */
  async #write(entries: readonly Entry[]): Promise<void> {
    if (entries.length > 0) {
      this.#segment ??= this.#store.createSegment(this.epoch);
      await this.#append(this.#segment, entries);
      await failPoint("append.after");
    }
    // Only now: a claim that came before this look may have cut the epoch off below the frame, and a later one will
    // find the frame.
    await this.#look();
    await failPoint("append.confirmed");
    if (this.#segment && this.#segment.size >= SEGMENT_BYTES) await this.#segment.roll();
  }

  async #append(segment: SegmentWriter, entries: readonly Entry[]): Promise<void> {
    const frame = encodeFrame(entries);
    if (!appends.hasSubscribers) return segment.append(frame);
    const started = performance.now();
    const tell = (error: unknown): void => {
      const about = { name: this.#name, store: this.#store.id, epoch: this.epoch };
      const what = { commits: entries.length, bytes: frame.length, started, ended: performance.now() };
      appends.publish({ ...about, ...what, error } satisfies AppendMessage);
    };
    try {
      await segment.append(frame);
    } catch (error) {
      tell(error);
      throw error;
    }
    tell(null);
  }

  /** @throws EpochOverError if the next epoch is claimed */
  async #look(): Promise<void> {
    const before = Lease.now();
    if (await this.#store.isSealed(this.epoch)) throw new EpochOverError(`epoch ${this.epoch} is sealed`);
    this.#lease.begin(before);
  }

  /**
   * A failed append is never tried again as if it could still succeed: its segment is abandoned and the epoch given up.
   */
  #end(why: string, cause?: unknown): void {
    this.#over ??=
      cause instanceof EpochOverError ? cause : new EpochOverError(`${why} in epoch ${this.epoch}`, { cause });
    for (const { reject } of this.#requests.splice(0)) reject(this.#over);
    if (!this.#running) this.#letGo();
  }

  #letGo(): void {
    const segment = this.#segment;
    this.#segment = undefined;
    segment?.close().catch(() => undefined);
  }
}
