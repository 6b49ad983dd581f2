/** COMPACT, as the design has it; the layer does not have it yet. */
import type { Visit } from "../explorer.ts";
import { lastBegun, mayCompact } from "../../layers/log-replay/src/protocol.ts";
import { beginsOf, isSealed, readHistory } from "./store.ts";
import { finished, withLane, type LaneState, type LogState, type StoreState } from "./state.ts";
import { nameOf, type World } from "./world.ts";

export function compactSteps(world: World, state: LogState, p: number, l: number, visit: Visit<LogState>): void {
  const lane = state.processes[p]?.lanes[l] as LaneState;
  const who = `${nameOf(world, p, l)} (compact)`;
  const { store } = state;
  switch (lane.stage) {
    case "idle": {
      const last = lastBegun(beginsOf(store));
      const unsafe = world.flaws.has("compaction of what is not decided");
      if (last === (store.snapshot?.epoch ?? 0) || !mayCompact(last, isSealed(store, last) && !unsafe)) return visit(`${who}: there is nothing to fold`, finished(state, p, l));
      const fold = withLane(state, p, l, { stage: "compact", version: last, seen: folded(store, last) });
      return visit(`${who}: folds what is below epoch ${last}`, world.flaws.has("compaction deletes first") ? { ...fold, store: without(world, store, last) } : fold);
    }
    case "compact": {
      // A snapshot that another process installed meanwhile, and that reaches further, is left in place.
      if ((store.snapshot?.epoch ?? 0) >= lane.version) return visit(`${who}: somebody else was faster`, finished(state, p, l));
      const snapshot = { epoch: lane.version, data: lane.seen };
      return visit(`${who}: installs snapshot ${lane.version} with "${lane.seen}"`, withLane({ ...state, store: { ...store, snapshot } }, p, l, { stage: "delete" }));
    }
    case "delete":
      return visit(`${who}: deletes what is below epoch ${lane.version}`, finished({ ...state, store: without(world, store, lane.version) }, p, l));
    default:
  }
}

/** The history below the epoch: up to where it goes on from. */
function folded(store: StoreState, epoch: number): string {
  const history = readHistory(store, { last: epoch });
  return typeof history === "string" ? "" : history.txs.slice(0, store.begins[epoch]?.cut ?? 0);
}

/** Beginnings stay: whoever waits for an answer about an older epoch learns from them where it was cut. */
function without(world: World, store: StoreState, epoch: number): StoreState {
  const begins = store.begins.map((begin, i) => (world.flaws.has("compaction forgets the cuts") && i < epoch ? null : begin));
  return { ...store, begins, frames: store.frames.filter((frame) => frame.epoch >= epoch) };
}
