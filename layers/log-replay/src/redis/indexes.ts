import type { Command } from "redis-occ";
import type { Merged } from "../format/change.ts";
import { indexKey } from "./keys.ts";

/** What an index has to know of a written key. */
export interface Indexed {
  /** See `staysPresent`. */
  readonly present: boolean;
  /** When it was written; milliseconds since 1970. */
  readonly at: number;
}

/**
 * Whether an index lists a key. One that was deleted it does not, and none that ends: Redis would delete it and leave it listed.
 * Nor a hash, which is gone with its last field.
 * @param end when it ends; null or undefined where it stays
 */
export function staysPresent(value: Merged, end: number | null | undefined): boolean {
  return typeof value === "string" && (end ?? null) === null;
}

/**
 * The commands that keep the indexes in step with the keys written at `at`. They run in the same MULTI as the write,
 * and again at a replay with the record's own time, so an index is a function of the log like everything else.
 *
 * @param images each written key
 */
export function indexCommands(prefixes: readonly string[], images: Iterable<readonly [string, Indexed]>): Command[] {
  if (prefixes.length === 0) return [];
  const added = new Map<string, (string | number)[]>();
  const removed = new Map<string, string[]>();
  for (const [key, { present, at }] of images) {
    const prefix = prefixOf(key, prefixes);
    if (prefix === undefined) continue;
    if (present) entry(added, prefix).push(at, key);
    else entry(removed, prefix).push(key);
  }
  return [
    ...[...added].flatMap(([prefix, members]) => inParts(["zadd", indexKey(prefix)], members)),
    ...[...removed].flatMap(([prefix, members]) => inParts(["zrem", indexKey(prefix)], members)),
  ];
}

/** The prefix under which a key is indexed; undefined if it is not. */
export function prefixOf(key: string, prefixes: readonly string[]): string | undefined {
  return prefixes.find((candidate) => key.startsWith(candidate));
}

/** Arguments of one command, an even number: Lua passes them as arguments of a function, whose number is limited. */
const MAX_ARGUMENTS = 5_000;

/** As many commands as the arguments need; none for none. */
export function inParts(head: Command, args: readonly (string | number)[]): Command[] {
  const commands: Command[] = [];
  for (let i = 0; i < args.length; i += MAX_ARGUMENTS) commands.push([...head, ...args.slice(i, i + MAX_ARGUMENTS)]);
  return commands;
}

function entry<V>(map: Map<string, V[]>, key: string): V[] {
  let list = map.get(key);
  if (list === undefined) map.set(key, (list = []));
  return list;
}
