import { StoreMismatchError } from "../errors.ts";
import { assertKnown, FORMAT } from "../format/version.ts";

/** The file, or object, that makes a place a log store. */
export const IDENTITY = "store.json";

export function encodeIdentity(id: string): string {
  return `${JSON.stringify({ format: FORMAT, id, created: new Date().toISOString() })}\n`;
}

/** @throws StoreMismatchError where `text` names no identity; FormatError. @param where the file */
export function parseIdentity(text: string, where: string): string {
  let identity: unknown;
  try {
    identity = JSON.parse(text);
  } catch {
    throw new StoreMismatchError(`${where} is not JSON`);
  }
  const { id, format } = (identity ?? {}) as { readonly id?: unknown; readonly format?: unknown };
  assertKnown(format, where);
  if (typeof id !== "string") throw new StoreMismatchError(`${where} names no id`);
  return id;
}
