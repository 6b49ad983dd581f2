/** The invariants of the design, as far as one service's log is concerned. */
import type { Violation } from "../explorer.ts";
import { readHistory, type History } from "./store.ts";
import type { Ghost, LogState, StoreState } from "./state.ts";

interface Readings {
  /** What a recovery would find now. */
  readonly visible: History | string;
  /** What one would find after the power failed, with all lost that can be lost. */
  readonly durable: History | string;
}

/** Most steps leave the store as it is. Emptied now and then. */
const readings = new Map<StoreState, Readings>();
const MAX_CACHED = 2_000;

function read(store: StoreState): Readings {
  let known = readings.get(store);
  if (known === undefined) {
    if (readings.size >= MAX_CACHED) readings.clear();
    readings.set(store, (known = { visible: readHistory(store), durable: readHistory(store, { durably: true }) }));
  }
  return known;
}

export function violation({ store, ghost, backup, replaced }: LogState): Violation | null {
  if (ghost.broken !== null) return ghost.broken;
  const { visible, durable } = read(store);
  // The older log lacks what was answered, so nothing may be answered on it or written to it, unless the rest is there
  // at once.
  if (replaced !== null && typeof visible === "string")
    return { invariant: "2 the log is a prefix", what: `nothing was damaged, and the log says: ${visible}` };
  if (replaced !== null) {
    const lacks = Array.from(ghost.promised).some((tx) => !(visible as History).txs.includes(tx));
    if (!lacks || (store === backup && ghost.promised === replaced.promised)) return null;
    return {
      invariant: "4 no write on missing state",
      what: "an answer, or a write, was made on a log older than the state",
    };
  }
  for (const history of [visible, durable]) {
    if (typeof history === "string")
      return { invariant: "2 the log is a prefix", what: `nothing was damaged, and the log says: ${history}` };
  }
  return judge(ghost, (visible as History).txs, (durable as History).txs);
}

function judge({ promised, denied, saw }: Ghost, visible: string, durable: string): Violation | null {
  for (const tx of promised) {
    if (!durable.includes(tx))
      return {
        invariant: "1 an answer is durable",
        what: `${tx} was answered for, and a restore after a power loss would find "${durable}"`,
      };
  }
  for (const tx of denied) {
    if (visible.includes(tx))
      return {
        invariant: "5 at most once",
        what: `${tx} was said to have changed nothing, and a restore would find "${visible}"`,
      };
  }
  for (const seen of saw) {
    const place = visible.indexOf(seen.charAt(0));
    if (place >= 0 && visible.slice(0, place) !== seen.slice(2)) {
      return {
        invariant: "2 the log is a prefix",
        what: `${seen.charAt(0)} was committed on "${seen.slice(2)}", in the log it follows "${visible.slice(0, place)}"`,
      };
    }
  }
  return null;
}
