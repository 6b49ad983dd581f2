import type { LogStore } from "../stores/store.ts";

/**
 * A place where a log can be, of one kind of store, and what only that kind can do to it.
 *
 * @example
 * const makePlace = async (): Promise<StorePlace> => {
 *   const folder = await mkdtemp("log-");
 *   await createFileStore(folder);
 *   return {
 *     open: () => openFileStore({ folder }),
 *     breakDown: () => rename(folder, `${folder}-away`),
 *     loseClaim: (epoch) => rm(join(folder, `claim-${String(epoch).padStart(8, "0")}`)),
 *     appendFromElsewhere: (epoch, frame) => appendInAProcessThatDies(folder, epoch, frame),
 *   };
 * };
 */
export interface StorePlace {
  /** One more way into the same store, as another process has it. */
  open(): Promise<LogStore>;
  /** Makes the store unreachable, or away. */
  breakDown(): Promise<void>;
  /** Takes a claim away, as a store that was put back from an older copy has lost it. */
  loseClaim(epoch: number): Promise<void>;
  /** Appends `frame` from a process that then dies, for certain. @returns the segment's name */
  appendFromElsewhere(epoch: number, frame: Buffer): Promise<string>;
  /** Puts something there that no store has made, under this name. Only for a store that has `strays`. */
  putStray?(name: string): Promise<void>;
}

/** What a store has to do, by name: each case resolves where it does it, and rejects with an AssertionError where not. */
export type StoreCases = Readonly<Record<string, () => Promise<void>>>;
