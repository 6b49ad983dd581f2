import { LogDamageError } from "./errors.ts";
import { raise, type OnDamage } from "./frame.ts";
import type { Begin } from "./store.ts";

/**
 * @param onDamage told where `text` does not say how an epoch begins; default: throws that
 * @returns null where it does not
 */
export function parseBegin(where: string, text: string, onDamage: OnDamage = raise): Begin | null {
  try {
    const { parent, cut } = JSON.parse(text) as Partial<Begin>;
    if (Number.isSafeInteger(parent) && Number.isSafeInteger(cut)) return { parent: parent as number, cut: cut as number };
  } catch {
    // Told below, with the name.
  }
  onDamage(new LogDamageError(where, 1, "does not say how the epoch begins"));
  return null;
}
