import { LogDamageError } from "./errors.ts";
import type { Begin } from "./store.ts";

/** @throws LogDamageError where `text` does not say how an epoch begins */
export function parseBegin(where: string, text: string): Begin {
  try {
    const { parent, cut } = JSON.parse(text) as Partial<Begin>;
    if (Number.isSafeInteger(parent) && Number.isSafeInteger(cut)) return { parent: parent as number, cut: cut as number };
  } catch {
    // Told below, with the name.
  }
  throw new LogDamageError(where, 1, "does not say how the epoch begins");
}
