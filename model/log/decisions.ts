/** The decisions of the protocol, which the layers take by the same functions, and how a mutant takes them. */
import {
  chain,
  comparePositions,
  isBehind,
  isDecided,
  judgeGuard,
  judgeWriter,
  lastOver,
  mayCompact,
  mayStay,
  nextEpoch,
  readWaitsFor,
} from "../../layers/log-replay/src/protocol.ts";
import { judgeLostExec } from "../../layers/redis-occ/src/lost-exec.ts";
import type { LogFlaw } from "./flaws.ts";

export const DECISIONS = {
  chain,
  comparePositions,
  isBehind,
  isDecided,
  judgeGuard,
  judgeLostExec,
  judgeWriter,
  lastOver,
  mayCompact,
  mayStay,
  nextEpoch,
  readWaitsFor,
};
export type Decisions = typeof DECISIONS;

/** The other mutants leave out, or change the order of, what is done. */
export const SWITCHED: Partial<Record<LogFlaw, Partial<Decisions>>> = {
  "cut not recorded": {
    chain: (begins, last) => chain(begins, last)?.map((stretch) => ({ ...stretch, to: Infinity })) ?? null,
  },
  "claimed guard is fine": { mayStay: () => true },
  "former guard is fine": { lastOver: (writer) => (writer?.over === true ? writer.epoch : 0) },
  "tail taken for durable": { readWaitsFor: (_touched, pending) => (pending ? "own appends" : "nothing") },
  "own appends taken for durable": { readWaitsFor: (touched) => (touched ? "the tail" : "nothing") },
  "lost reply means not executed": { judgeLostExec: () => "not run" },
  "marker of a replaced state": { judgeLostExec: (told) => (told?.markerSet ? "ran" : "not run") },
  "decided below a seal": { isDecided: (epoch, last) => last > epoch },
  "late reply opens an older epoch": {
    judgeWriter: (writer, guardEpoch) =>
      writer !== undefined && guardEpoch < writer.epoch ? "replace" : judgeWriter(writer, guardEpoch),
  },
  "history not named in the guard": {
    judgeGuard: (guard, here) => judgeGuard(guard && { ...guard, replid: here.replid }, here),
  },
  "every new name is taken over": { judgeGuard: (guard, here) => judgeGuard(guard, { ...here, inherited: false }) },
  "positions not compared": {
    comparePositions: (reach, end) => comparePositions({ ...reach, last: Infinity }, end),
  },
  "trimmed floor not compared": {
    comparePositions: (reach, end) => comparePositions({ ...reach, floor: 0 }, end),
  },
  "what was seen is forgotten": { isBehind: () => false },
  "compaction of what is not decided": { mayCompact: (last) => last > 0 },
};
