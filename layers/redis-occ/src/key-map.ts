/** Any JSON value. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };

/**
 * What a client that was given no map of its keys knows of them: nothing. `view.get<Seat>(key)` names the type by hand.
 *
 * A map names each key, or a pattern with one `*`, and the type of what it holds:
 *
 * @example
 * const occ = new Occ<{ "seat:*": Seat; total: number }>({ url });
 * await occ.transact(["seat:12", "total"], (view) => ({ result: view.get("seat:12")?.holder }));
 */
export type AnyKeys = Readonly<Record<string, unknown>>;

type Pattern<P extends string> = P extends `${infer Before}*${infer After}` ? `${Before}${string}${After}` : P;

/** The keys of a map: any string where there is none. */
export type KeyOf<Keys> = string extends keyof Keys
  ? string
  : { [P in keyof Keys & string]: Pattern<P> }[keyof Keys & string];

/** The type of what `key` holds; the union where several patterns fit. */
export type ValueOf<Keys, Key extends string> = string extends keyof Keys
  ? unknown
  : { [P in keyof Keys & string]: Key extends Pattern<P> ? Keys[P] : never }[keyof Keys & string];

/** What `read` gives for a tuple of keys. */
export type ValuesOf<Keys, List extends readonly string[]> = {
  -readonly [I in keyof List]: ValueOf<Keys, List[I]> | null;
};
