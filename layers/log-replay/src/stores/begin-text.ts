import type { Begin } from "./store.ts";

/** How an epoch begins, as stores keep it: JSON. @returns null where `text` does not say it */
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
