/** What changes, one by one: of an object, or of pairs. */
export function entriesOf<T>(
  set: Readonly<Record<string, T>> | Iterable<readonly [string, T]> = {},
): Iterable<readonly [string, T]> {
  return Symbol.iterator in set ? set : Object.entries(set);
}
