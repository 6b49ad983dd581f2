import { entriesOf } from "./entries.ts";

/**
 * What changes of a hash, as the value of its key in a decision: see {@link fields}.
 *
 * @example
 * const occ = new Occ<{ "cart:*": Fields<number> }>({ url }); // hashes whose fields hold numbers
 */
export class Fields<Value = unknown> {
  /** The new value of each field that it names; null removes it. */
  readonly changes: ReadonlyMap<string, Value | null>;

  constructor(changes: ReadonlyMap<string, Value | null>) {
    this.changes = changes;
  }

  /** They stand for the whole value of a key, and never for a part of one. */
  toJSON(): never {
    throw new TypeError("changes of fields are the value of a key, and no part of one");
  }
}

/**
 * Changes fields of a hash and leaves its other fields as they are; null removes one. A hash begins with its first field, and is
 * gone with its last one; null in its place deletes all of it. It keeps its time to live, and `setWithTtl` gives it another one.
 *
 * @example
 * await occ.transact(["cart:7"], (view) => {
 *   const apples = view.fields<number>("cart:7").get("apple") ?? 0;
 *   return { result: apples + 2, set: { "cart:7": fields({ apple: apples + 2, pear: null }) } };
 * });
 *
 * @param changes an object, or `[field, value]` pairs. Values are encoded as those of keys are
 */
export function fields<Value>(
  changes: Readonly<Record<string, Value | null>> | Iterable<readonly [string, Value | null]>,
): Fields<Value> {
  if (typeof (changes as unknown) !== "object" || (changes as unknown) === null)
    throw new TypeError("fields must be an object, or pairs of a field and its value");
  return new Fields(new Map(entriesOf(changes)));
}
