/**
 * COMPACT. The history up to the last durable commit goes into a snapshot; then the segments that it holds are put
 * away. A snapshot's name tells the commit that it ends with, and readers take the furthest one, so installing one
 * never replaces another.
 */
import type { Visit } from "../explorer.ts";
import { lastOf } from "./runs.ts";
import { furthestSnapshot, isSealed, readHistory, syncFolder, withSnapshot } from "./store.ts";
import { finished, withLane, type LaneState, type LogState, type Snapshot, type StoreState } from "./state.ts";
import { nameOf, type World } from "./world.ts";

export function compactSteps(world: World, state: LogState, p: number, l: number, visit: Visit<LogState>): void {
  const lane = state.processes[p]?.lanes[l] as LaneState;
  const who = `${nameOf(world, p, l)} (compact)`;
  const { store } = state;
  const snapshot: Snapshot = { epoch: lane.version, data: lane.seen, synced: !world.power };
  const goOn = (stage: LaneState["stage"], changed: StoreState = store): LogState =>
    withLane({ ...state, store: changed }, p, l, { stage });
  switch (lane.stage) {
    case "idle": {
      const history = readHistory(store, { chain: world.decisions.chain });
      // What is damaged here is found by the invariants.
      if (typeof history === "string") return;
      const { parent: epoch, txs } = history;
      if (txs.length <= (furthestSnapshot(store)?.data.length ?? 0))
        return visit(`${who}: there is nothing to fold`, finished(state, p, l));
      return visit(
        `${who}: reads "${txs}", up to commit ${txs.length} of epoch ${epoch}`,
        withLane(state, p, l, { stage: "folded", version: epoch, seen: txs }),
      );
    }
    case "folded": {
      // Only now, because a claim that came before this look may cut the epoch below what was read.
      const last = lane.version;
      if (!world.decisions.mayCompact(last, isSealed(store, last)))
        return visit(`${who}: epoch ${last} is sealed, gives up`, finished(state, p, l));
      return visit(
        `${who}: finds no claim on epoch ${last + 1}`,
        goOn("compact", world.flaws.has("compaction deletes first") ? without(world, store, snapshot) : store),
      );
    }
    case "compact": {
      const next = world.power && !world.flaws.has("snapshot not synced") ? "snapshot sync" : "delete";
      return visit(
        `${who}: installs the snapshot "${lane.seen}", up to commit ${lane.seen.length} of epoch ${lane.version}`,
        goOn(
          next,
          world.flaws.has("snapshot goes back") ? { ...store, snapshots: [snapshot] } : withSnapshot(store, snapshot),
        ),
      );
    }
    case "snapshot sync":
      return visit(`${who}: the snapshot is durable`, goOn("delete", syncFolder(store)));
    case "delete":
      return visit(
        `${who}: puts away what is in the snapshot`,
        finished({ ...state, store: without(world, store, snapshot) }, p, l),
      );
    default:
  }
}

/** Begins stay: whoever waits for an answer about an older epoch learns from them where it was cut. */
function without(world: World, store: StoreState, { epoch, data }: Snapshot): StoreState {
  const forgets = world.flaws.has("compaction forgets the cuts");
  const begins = store.begins.map((begin, i) => (forgets && i < epoch ? null : begin));
  const frames = store.frames.filter(
    (frame) => frame.epoch > epoch || (frame.epoch === epoch && lastOf(frame) > data.length),
  );
  return { ...store, begins, frames };
}
