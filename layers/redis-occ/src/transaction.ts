import type { Codec } from "./codec.ts";
import type { TransactionMessage } from "./diagnostics.ts";
import {
  AbortedError,
  DecodeError,
  OutcomeUnknownError,
  TimeoutError,
  WrongTypeError,
  type OccError,
} from "./errors.ts";
import type { CommitHook, Write } from "./hook.ts";
import { pairsOf, type Collection, type CollectionKind, type Images } from "./images.ts";
import { checkText } from "./options.ts";
import type { Decide, Decision, View } from "./rule.ts";
import { Waiting } from "./waiting.ts";
import { writeOf } from "./write.ts";

/** What is left to answer once the group's EXEC and its hook are through. */
type Verdict = { readonly result: unknown } | { readonly error: unknown };

export interface TransactionOptions {
  readonly keys: Iterable<string>;
  readonly decide: Decide<unknown>;
  readonly meta: unknown;
  /** Milliseconds. */
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
  readonly codec: Codec;
}

/** One transaction on its way: waiting → sent (its EXEC may have run) → answered. */
export class Transaction extends Waiting<unknown> {
  readonly keys: Set<string>;
  readonly meta: unknown;
  /** What its rule wants to see as something else than strings; undefined where nothing. Their keys are among `keys`. */
  collections: Map<string, Collection> | undefined;
  /** What it came to write in the attempt that is under way; null where it refused. */
  write: Write | null = null;
  /** Attempts in which another client had changed a key. */
  conflicts = 0;
  /** What was told of it, where somebody listens. */
  message: TransactionMessage | undefined;
  #sent = false;
  #verdict: Verdict | undefined;
  readonly #decide: Decide<unknown>;
  readonly #codec: Codec;

  constructor({ keys, decide, meta, timeout, signal, codec }: TransactionOptions) {
    super(timeout, signal);
    this.keys = new Set(keys);
    this.meta = meta;
    this.#decide = decide;
    this.#codec = codec;
  }

  /**
   * Runs the rule on `images`.
   * @param hook gives what stands for its `meta` in what it writes
   * @returns what it writes; null where it refused and so writes nothing; "more" where it asked for keys that were not read
   */
  decide(images: Images, hook: Pick<CommitHook, "prepare">): Write | null | "more" {
    const missing: string[] = [];
    const view = this.#viewOf(images, missing);
    let write: Write | null = null;
    try {
      const decision: unknown = this.#decide(view);
      if (decision instanceof Promise) {
        decision.catch(() => undefined);
        throw new TypeError("a rule must not be asynchronous");
      }
      if (typeof decision !== "object" || decision === null) throw new TypeError("a rule must return { result, … }");
      const hash = (key: string) => {
        const flat = this.#collection(images, missing, "hash", key);
        return flat && new Map(pairsOf(flat));
      };
      const written = writeOf(decision as Decision<unknown>, { images, codec: this.#codec, hash });
      if (written !== null && missing.length === 0) {
        const { images: set, beyond } = written;
        const meta = hook.prepare(set, this.meta, beyond);
        write = beyond === undefined ? { images: set, meta } : { images: set, meta, beyond };
      }
      this.#verdict = { result: (decision as Decision<unknown>).result };
    } catch (error) {
      this.#verdict = { error };
    }
    if (missing.length > 0) {
      for (const key of missing) this.keys.add(key);
      return "more";
    }
    return write;
  }

  /** Its EXEC leaves now, so from here on a timeout no longer means that nothing was changed. */
  markSent(): void {
    this.#sent = true;
  }

  /** Its EXEC turned out not to have run and not to run later, so it may go again. */
  markUnsent(): void {
    this.#sent = false;
  }

  /** Its EXEC ran, and something about that goes before what the rule came to. */
  spoil(error: OccError): void {
    this.#verdict = { error };
  }

  /** Gives the caller what the rule came to. */
  conclude(): void {
    const verdict = this.#verdict;
    if (verdict === undefined) this.fail(new Error("a transaction was concluded before it was decided"));
    else if ("error" in verdict) this.fail(verdict.error);
    else this.resolve(verdict.result);
  }

  protected override expired(timeout: number): OccError {
    return this.#sent
      ? new OutcomeUnknownError(`no word of the transaction's outcome within ${timeout} ms`)
      : new TimeoutError(`the transaction could not start within ${timeout} ms`, { cause: this.lastProblem });
  }

  protected override aborted(reason: unknown): OccError {
    return this.#sent
      ? new OutcomeUnknownError("aborted while the transaction was being executed", { cause: reason })
      : new AbortedError("the transaction was aborted before it was executed", { cause: reason });
  }

  #viewOf(images: Images, missing: string[]): View {
    const need = (keys: Iterable<string>): void => {
      for (const key of keys) {
        checkText(key);
        if (!images.has(key) || !this.keys.has(key)) missing.push(key);
      }
      if (missing.length > 0) throw new UndeclaredKeys(missing);
    };
    const collection = (kind: CollectionKind, key: string): [string, string][] => {
      const content = this.#collection(images, missing, kind, key);
      if (content === undefined) throw new UndeclaredKeys(missing);
      return pairsOf(content);
    };
    const get = (key: string): unknown => {
      need([key]);
      const found = images.otherType(key);
      if (found !== undefined) throw new WrongTypeError(key, found, "string");
      const image = images.get(key);
      return image === null ? null : decode(this.#codec, key, image);
    };
    return {
      need,
      get: get as View["get"],
      fields: ((key: string) => {
        const decoded = ([field, text]: [string, string]) => [field, decode(this.#codec, key, text, field)] as const;
        return new Map(collection("hash", key).map(decoded));
      }) as View["fields"],
      hash: (key) => new Map(collection("hash", key)),
      sortedSet: (key) => new Map(collection("sortedSet", key).map(([member, score]) => [member, toScore(score)])),
    };
  }

  /** Names and values by turns; undefined where they were not read: it is then among those that are missing. @throws WrongTypeError */
  #collection(images: Images, missing: string[], kind: CollectionKind, key: string): string[] | undefined {
    const content = this.keys.has(key) ? images.collection({ kind, key }) : undefined;
    if (content === undefined) {
      checkText(key);
      (this.collections ??= new Map()).set(`${kind}:${key}`, { kind, key });
      missing.push(key);
      return undefined;
    }
    if (content instanceof Error) throw new WrongTypeError(key, images.otherType(key) ?? "string", TYPES[kind]);
    return content as string[];
  }
}

/** Redis's names. */
const TYPES: Readonly<Record<CollectionKind, string>> = { hash: "hash", sortedSet: "zset" };

/** Ends a rule that asked for keys which were not read; never seen outside. */
class UndeclaredKeys extends Error {
  constructor(keys: readonly string[]) {
    super(`keys that were not declared: ${keys.join()}`);
  }
}

/** @param field where it is the value of one @throws DecodeError */
export function decode(codec: Codec, key: string, image: string, field?: string): unknown {
  try {
    return codec.decode(image);
  } catch (cause) {
    throw new DecodeError(key, { cause, ...(field === undefined ? {} : { field }) });
  }
}

/** As Redis writes scores: `inf` and `-inf` are no numbers of JavaScript. */
function toScore(text: string): number {
  return text === "inf" ? Infinity : text === "-inf" ? -Infinity : Number(text);
}
