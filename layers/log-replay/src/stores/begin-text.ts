import { assertKnown, FORMAT, named } from "../format/version.ts";
import type { Begin } from "./store.ts";

/** How an epoch begins, as stores keep it: JSON. Its segments are of the same format. */
export function encodeBegin({ format = FORMAT, parent, cut }: Begin): string {
  return `${JSON.stringify({ format, parent, cut })}\n`;
}

/**
 * @param where the file
 * @returns null where `text` does not say how an epoch begins
 * @throws FormatError
 */
export function parseBegin(text: string, where: string): Begin | null {
  const begin = parsed(text);
  if (begin === null) return null;
  const { format = FORMAT, parent, cut } = begin;
  assertKnown(format, where);
  if (!Number.isSafeInteger(parent) || !Number.isSafeInteger(cut)) return null;
  return { parent: parent as number, cut: cut as number, ...named(format as number) };
}

function parsed(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
