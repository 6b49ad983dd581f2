import type { NumbersList } from "./numbers-list.ts";

/**
 * Looks for a state from which no settled one can be reached: a deadlock, or a circle without an exit. Walks backwards
 * from the settled states over all steps that are not faults.
 * @returns the first such state that was found; null if there is none
 */
export function findUnsettled(
  states: number,
  edges: { readonly from: NumbersList; readonly to: NumbersList },
  settled: NumbersList,
): number | null {
  // Incoming edges of each state, one range of `sources` a state.
  const starts = new Int32Array(states + 1);
  const add = (counts: Int32Array, i: number, more: number): number => (counts[i] = (counts[i] as number) + more);
  for (let i = 0; i < edges.to.length; i++) add(starts, edges.to.at(i) + 1, 1);
  for (let i = 0; i < states; i++) add(starts, i + 1, starts[i] as number);
  const sources = new Int32Array(edges.to.length);
  const filled = starts.slice();
  for (let i = 0; i < edges.to.length; i++) sources[add(filled, edges.to.at(i), 1) - 1] = edges.from.at(i);

  const reaches = new Uint8Array(states);
  const queue: number[] = [];
  for (let i = 0; i < settled.length; i++) {
    reaches[settled.at(i)] = 1;
    queue.push(settled.at(i));
  }
  for (let state = queue.pop(); state !== undefined; state = queue.pop()) {
    for (let i = starts[state] as number; i < (starts[state + 1] as number); i++) {
      const source = sources[i] as number;
      if (reaches[source] === 1) continue;
      reaches[source] = 1;
      queue.push(source);
    }
  }
  const stuck = reaches.indexOf(0);
  return stuck === -1 ? null : stuck;
}
