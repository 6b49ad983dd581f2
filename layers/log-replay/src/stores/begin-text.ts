import type { Begin } from "./store.ts";

/** A begin as stores keep it: JSON. @returns null if `text` is none */
export function parseBegin(text: string): Begin | null {
  try {
    const { parent, cut } = JSON.parse(text) as Partial<Begin>;
    return Number.isSafeInteger(parent) && Number.isSafeInteger(cut)
      ? { parent: parent as number, cut: cut as number }
      : null;
  } catch {
    return null;
  }
}
