import { FORMAT, named, WITH_ENDS } from "../format/version.ts";
import type { Begin, LogStore } from "../stores/store.ts";
import type { Survey } from "./survey.ts";

/** What the founder of an epoch brings along. */
interface Founder {
  readonly store: LogStore;
  /** Whether the epoch's records may say when keys end. Where its parent's may, they may in any case. */
  readonly expiry?: boolean;
}

/**
 * Writes how an epoch begins, in a format that has what its records need, and all that its parent's had.
 * @returns what it has written
 * @throws TypeError for a store that does not keep the format
 */
export async function begin(
  epoch: number,
  { store, expiry = false }: Founder,
  { parent, cut, format: inherited }: Pick<Survey, "parent" | "cut" | "format">,
): Promise<Begin> {
  const format = Math.max(inherited, expiry ? WITH_ENDS : FORMAT);
  const written = { parent, cut, ...named(format) };
  await store.writeBegin(epoch, written);
  if (format === FORMAT || (await store.begins()).get(epoch)?.format === format) return written;
  throw new TypeError(`the store does not keep the format of epoch ${epoch}: storeCases tells what a store has to do`);
}
