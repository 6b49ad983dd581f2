/** What a record makes of a key, and what several make of it one after the other. */

/** The text of a string; null where the key is deleted; of a hash the new text of fields, null of those that are removed. */
export type Change = string | null | FieldChanges;
export type FieldChanges = ReadonlyMap<string, string | null>;

/** What a key holds: the text of a string, or that of each field of a hash. */
export type Content = string | ReadonlyMap<string, string>;

/** Several changes of a key, as one. */
export type Merged = string | null | MergedFields;

export interface MergedFields {
  /** Whether it was no hash before, so that these are all fields. */
  readonly isWhole: boolean;
  readonly fields: Map<string, string | null>;
}

/**
 * Adds a change to those before it. Of a hash these are taken over, and not copied: whoever folds a history owns what it has.
 * @param before null where the key is not there, undefined where nothing is known of it
 * @throws TypeError for fields of a string, which no record changes
 */
export function merged(before: Merged | undefined, change: Change): Merged {
  if (change === null || typeof change === "string") return change;
  if (typeof before === "string") throw new TypeError("fields of a string change");
  const all = before ?? { isWhole: before === null, fields: new Map<string, string | null>() };
  for (const [field, text] of change) {
    if (text === null && all.isWhole) all.fields.delete(field);
    else all.fields.set(field, text);
  }
  return all;
}

/** What the key holds then, where all of it is known. */
export function contentOf(value: Merged): Content | null {
  if (value === null || typeof value === "string") return value;
  const present = presentIn(value.fields);
  return present.size > 0 ? present : null;
}

/** The fields that are not removed. */
export function presentIn(fields: FieldChanges): ReadonlyMap<string, string> {
  const present = new Map<string, string>();
  for (const [field, text] of fields) if (text !== null) present.set(field, text);
  return present;
}

/** Characters. */
export function lengthOf(change: Change): number {
  if (change === null || typeof change === "string") return change?.length ?? 0;
  let length = 0;
  for (const [field, text] of change) length += field.length + (text?.length ?? 0);
  return length;
}

/** As JSON text: of a hash an object with its fields in the order of their names, so that the same fields are the same text. */
export function textOf(content: Content): string {
  if (typeof content === "string") return content;
  return encodeFields(new Map([...content].sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** The fields as a JSON object. */
export function encodeFields(fields: FieldChanges): string {
  return `{${Array.from(fields, ([field, text]) => `${JSON.stringify(field)}:${text ?? "null"}`).join(",")}}`;
}
