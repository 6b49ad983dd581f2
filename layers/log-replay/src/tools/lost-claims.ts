import { lostClaims } from "../protocol.ts";
import type { LogStore } from "../stores/store.ts";

/**
 * The claims that are lost (`lostClaims`), while others claim, and remove from the lowest on what was passed over. A list that is
 * read meanwhile may lack a claim that was made in that time, or was removed before a lower one was read. So what it lacks is
 * looked for once more: by then the first is there, and nothing below the second is.
 * @param begun the epochs that have begun, read before
 */
export async function findLostClaims(store: LogStore, begun: Iterable<number>): Promise<number[]> {
  const known = [...begun];
  const lost = lostClaims(await store.claims(), known);
  if (lost.length === 0) return lost;
  const again = new Set(lostClaims(await store.claims(), known));
  return lost.filter((epoch) => again.has(epoch));
}
