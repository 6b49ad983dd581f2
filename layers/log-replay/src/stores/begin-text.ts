import { assertKnown, FORMAT } from "../format/version.ts";
import type { Begin } from "./store.ts";

/** How an epoch begins, as stores keep it: JSON. Its segments are of the same format. */
export function encodeBegin({ parent, cut }: Begin): string {
  return `${JSON.stringify({ format: FORMAT, parent, cut })}\n`;
}

/**
 * @param where the file
 * @returns null where `text` does not say how an epoch begins
 * @throws FormatError
 */
export function parseBegin(text: string, where: string): Begin | null {
  const begin = parsed(text);
  if (begin === null) return null;
  assertKnown(begin["format"], where);
  const { parent, cut } = begin;
  return Number.isSafeInteger(parent) && Number.isSafeInteger(cut)
    ? { parent: parent as number, cut: cut as number }
    : null;
}

function parsed(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
