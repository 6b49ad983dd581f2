import { JSON_CODEC, type Codec } from "./codec.ts";
import { assertAddable } from "./command.ts";
import { entriesOf } from "./entries.ts";
import { WrongTypeError } from "./errors.ts";
import { Fields } from "./fields.ts";
import type { Beyond, HashChange, Write } from "./hook.ts";
import type { Images } from "./images.ts";
import { checkText } from "./options.ts";
import type { Decision, Expiring } from "./rule.ts";

/** What a decision rests on. */
export interface Basis {
  readonly images: Images;
  readonly codec: Codec;
  /** All fields of a hash, empty where there is none; undefined where it was not read. @throws WrongTypeError */
  readonly hash: (key: string) => ReadonlyMap<string, string> | undefined;
}

/**
 * What a decision writes, as text; null where that is nothing. It counts only where every hash that it changes was read.
 * @throws TypeError for what cannot be written; WrongTypeError
 */
export function writeOf(decision: Decision<unknown>, basis: Basis): Pick<Write, "images" | "beyond"> | null {
  const { set, setWithTtl, commands } = decision;
  const draft = new Draft(basis);
  if (set !== undefined) for (const [key, value] of entriesOf(set)) draft.put(key, value);
  const beyond =
    setWithTtl === undefined && commands === undefined && !draft.hasHashes ? undefined : beyondOf(decision, draft);
  const { images } = draft;
  if (beyond !== undefined) return { images, beyond };
  return images.size > 0 ? { images } : null;
}

function beyondOf({ setWithTtl, commands = [] }: Decision<unknown>, draft: Draft): Beyond | undefined {
  const ttls = new Map<string, number | null>();
  for (const [key, expiring] of entriesOf(setWithTtl)) {
    const ttl = toTtl(key, expiring);
    draft.put(key, expiring.value, true);
    if (draft.writes(key)) ttls.set(key, ttl);
  }
  for (const command of commands) assertAddable(command);
  const { hashes } = draft;
  if (hashes.size > 0) return { ttls, hashes, commands };
  return ttls.size > 0 || commands.length > 0 ? { ttls, commands } : undefined;
}

const NO_FIELDS: ReadonlyMap<string, string> = new Map();

class Draft {
  readonly images = new Map<string, string | null>();
  /** undefined before the first one. */
  #hashes: Map<string, HashChange> | undefined;
  readonly #basis: Basis;

  constructor(basis: Basis) {
    this.#basis = basis;
  }

  get hasHashes(): boolean {
    return this.#hashes !== undefined;
  }

  get hashes(): ReadonlyMap<string, HashChange> {
    return this.#hashes ?? new Map<string, HashChange>();
  }

  writes(key: string): boolean {
    return this.images.has(key) || this.#hashes?.has(key) === true;
  }

  /** @param hasTtl whether it is written in any case, since it is given a time to live */
  put(key: string, value: unknown, hasTtl = false): void {
    if (value instanceof Fields) return this.#putFields(key, value.changes, hasTtl);
    const { images, codec } = this.#basis;
    const found = images.otherType(key);
    if (found !== undefined && !(found === "hash" && value === null)) throw new WrongTypeError(key, found, "string");
    checkText(key);
    this.images.set(key, value === null ? null : toText(codec, key, value));
    this.#hashes?.delete(key);
  }

  #putFields(key: string, changes: Fields["changes"], hasTtl: boolean): void {
    const { images, codec, hash } = this.#basis;
    if (images.dedicated) throw new TypeError(`fields of ${key}: a dedicated database has no hashes`);
    checkText(key);
    if (typeof this.images.get(key) === "string") throw new WrongTypeError(key, "string", "hash");
    const read = hash(key);
    if (read === undefined) return;
    const former = this.#hashes?.get(key);
    const isNew = read.size === 0 || this.images.has(key);
    const changed = new Map(former?.changed);
    const after = new Map(former?.after ?? (isNew ? NO_FIELDS : read));
    for (const [field, value] of changes) {
      if (typeof field !== "string" || !field.isWellFormed())
        throw new TypeError(`the field ${JSON.stringify(field)} of ${key} is not well-formed text`);
      const text = value === null ? null : toText(codec, key, value, field);
      changed.set(field, text);
      if (text === null) after.delete(field);
      else after.set(field, text);
    }
    if (after.size === 0) {
      this.#hashes?.delete(key);
      if (read.size > 0) this.images.set(key, null);
    } else if (changed.size > 0 || hasTtl) (this.#hashes ??= new Map()).set(key, { changed, after, isNew });
  }
}

/** @param field where it is the value of one */
function toText(codec: Codec, key: string, value: unknown, field?: string): string {
  const what = (): string => `the new value of ${field === undefined ? "" : `the field ${field} of `}${key}`;
  let text: unknown;
  try {
    text = codec.encode(value);
  } catch (cause) {
    throw new TypeError(`${what()} cannot be encoded: ${(cause as Error).message}`, { cause });
  }
  // Of JSON, null would come back as what a key without a value is.
  if (typeof text !== "string" || (codec === JSON_CODEC && text === "null")) {
    throw new TypeError(`${what()} has no text form`);
  }
  return text;
}

function toTtl(key: string, expiring: Expiring<unknown>): number | null {
  if (typeof expiring !== "object") throw new TypeError(`${key} must be set to { value, ttl }`);
  const { ttl } = expiring;
  if (ttl === null || (Number.isSafeInteger(ttl) && ttl > 0)) return ttl;
  throw new TypeError(`the ttl of ${key} must be a whole number of milliseconds from 1, or null for none`);
}
