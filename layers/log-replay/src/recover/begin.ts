import { FORMAT, named, neededFormat, type Permits } from "../format/version.ts";
import type { LogStore } from "../stores/store.ts";
import type { Survey } from "./survey.ts";

/** What the founder of an epoch brings along. What its parent's records may say, its own may in any case. */
interface Founder extends Permits {
  readonly store: LogStore;
}

/**
 * Writes how an epoch begins, in a format that has what its records need, and all that its parent's had.
 * @throws TypeError for a store that does not keep the format
 */
export async function begin(
  epoch: number,
  { store, ...permits }: Founder,
  { parent, cut, format: inherited }: Pick<Survey, "parent" | "cut" | "format">,
): Promise<void> {
  const format = Math.max(inherited, neededFormat(permits));
  await store.writeBegin(epoch, { parent, cut, ...named(format) });
  if (format === FORMAT || (await store.begin(epoch))?.format === format) return;
  throw new TypeError(`the store does not keep the format of epoch ${epoch}: storeCases tells what a store has to do`);
}
