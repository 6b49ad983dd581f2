import type { Reply } from "./connection.ts";

/** What a rule can look at besides strings. */
export type CollectionKind = "hash" | "sortedSet";

/** A key that is read as a collection. */
export interface Collection {
  readonly kind: CollectionKind;
  readonly key: string;
}

/** Names and values by turns, as Redis gives them. */
export function pairsOf(flat: readonly string[]): [string, string][] {
  const found: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) found.push([flat[i] ?? "", flat[i + 1] ?? ""]);
  return found;
}

/** What one attempt has read, as the rules of its group leave it one after the other. */
export class Images {
  /** Whether there are only strings, so that no types were asked for. */
  readonly dedicated: boolean;
  readonly #strings = new Map<string, string | null>();
  /** Redis's names for what keys hold that hold no string. */
  #types: Map<string, string> | undefined;
  readonly #collections = new Map<string, Reply | Error>();
  /** Keys of which it is not known any more what they hold; null where that may be any. */
  #unknown: Set<string> | null | undefined;

  constructor(dedicated: boolean) {
    this.dedicated = dedicated;
  }

  has(key: string): boolean {
    return this.#strings.has(key);
  }

  get(key: string): string | null {
    return this.#strings.get(key) ?? null;
  }

  set(key: string, image: string | null): void {
    this.#strings.set(key, image);
    this.#types?.delete(key);
    if (this.#collections.size > 0) this.touch([key]);
  }

  /** @param fields all of them; it has one at least */
  setHash(key: string, fields: ReadonlyMap<string, string>): void {
    (this.#types ??= new Map()).set(key, "hash");
    this.setCollection({ kind: "hash", key }, [...fields].flat());
    if (this.#collections.has(`sortedSet:${key}`)) this.touch([key]);
  }

  setTypes(types: ReadonlyMap<string, string> | undefined): void {
    this.#types = types && new Map(types);
  }

  /** What a key holds that holds something else than a string. */
  otherType(key: string): string | undefined {
    return this.#types?.get(key);
  }

  /** As Redis gave it, which may be that it is no such collection; undefined where it was not read. */
  collection({ kind, key }: Collection): Reply | Error | undefined {
    return this.#collections.get(`${kind}:${key}`);
  }

  setCollection({ kind, key }: Collection, content: Reply | Error): void {
    this.#collections.set(`${kind}:${key}`, content);
  }

  /** A command of the group will change these keys; null for any. */
  touch(keys: readonly string[] | null): void {
    if (keys === null || this.#unknown === null) this.#unknown = null;
    else this.#unknown = new Set([...(this.#unknown ?? []), ...keys]);
  }

  /** Whether it is known what the keys hold at this point of the group. */
  knows(keys: Iterable<string>): boolean {
    if (this.#unknown === undefined) return true;
    if (this.#unknown === null) return false;
    for (const key of keys) if (this.#unknown.has(key)) return false;
    return true;
  }
}
