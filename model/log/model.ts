import type { Model } from "../explorer.ts";
import { commitSteps } from "./commit.ts";
import { compactSteps } from "./compaction.ts";
import { encode } from "./encode.ts";
import { faultSteps } from "./faults.ts";
import { DECISIONS, SWITCHED } from "./decisions.ts";
import type { LogFlaw } from "./flaws.ts";
import { violation } from "./invariants.ts";
import { readSteps } from "./read.ts";
import { recoverySteps } from "./recovery.ts";
import { EMPTY } from "./redis.ts";
import { IDLE, type LogState } from "./state.ts";
import { symmetriesOf, type Symmetry } from "./symmetry.ts";
import { FAULTS, type Fault, type Operation, type World } from "./world.ts";
import { writerSteps } from "./writer.ts";

export interface LogConfiguration {
  /**
   * What each process is asked for: the requests of one lane after another, those of different lanes ("|") at the same
   * time. `Cx` commits to key x, `Rx` reads it, `K` compacts. `["Cx Rx", "Cy|Rx"]` are two processes, the second with two lanes.
   */
  readonly programs: readonly string[];
  /** How often each fault may happen; not at all if it is not named. */
  readonly faults: Partial<Record<Fault, number>>;
  readonly flaw?: LogFlaw | undefined;
}

/** One service's log with its instances and its Redis, which is empty at the start. */
export function logModel({ programs, faults, flaw }: LogConfiguration): Model<LogState> {
  const world = worldOf(programs, faults, flaw);
  const symmetries = symmetriesOf(world.programs);
  return {
    initial: {
      redis: { ...EMPTY, server: 1, replid: 1 },
      old: null,
      replids: 1,
      copy: null,
      store: { claims: 0, claimsSynced: 0, begins: [], frames: [], snapshots: [] },
      backup: null,
      replaced: null,
      processes: world.programs.map((lanes) => ({
        at: 0,
        compared: false,
        writer: null,
        recovery: null,
        lanes: lanes.map(() => ({ ...IDLE, done: 0 })),
      })),
      ghost: { promised: "", denied: "", saw: [], broken: null },
      budget: FAULTS.map((fault) => faults[fault] ?? 0),
    },
    successors: (state, visit) => {
      state.processes.forEach(({ lanes }, p) => {
        lanes.forEach(({ done }, l) => {
          const operation = world.programs[p]?.[l]?.[done];
          if (operation?.kind === "commit") commitSteps(world, state, p, l, operation, visit);
          if (operation?.kind === "read") readSteps(world, state, p, l, operation, visit);
          if (operation?.kind === "compact") compactSteps(world, state, p, l, visit);
        });
        writerSteps(world, state, p, visit);
        recoverySteps(world, state, p, visit);
      });
      faultSteps(world, state, visit);
    },
    encode: (state, into, variant) => encode(state, into, symmetries[variant] as Symmetry),
    variants: symmetries.length,
    violation,
    settled: ({ processes, replaced, store, backup }) =>
      (replaced === null || store !== backup) &&
      processes.every(
        ({ recovery, lanes }, p) =>
          recovery === null && lanes.every(({ done }, l) => done >= (world.programs[p]?.[l]?.length ?? 0)),
      ),
    describe,
  };
}

function worldOf(programs: readonly string[], faults: LogConfiguration["faults"], flaw: LogFlaw | undefined): World {
  let letters = 0;
  const keyOf = new Map<string, string>();
  const parse = (word: string): Operation => {
    const [kind, key] = [word.charAt(0), word.slice(1)];
    if (kind === "K") return { kind: "compact", tx: "", key: "" };
    if (kind === "R" && key !== "") return { kind: "read", tx: "", key };
    if (kind !== "C" || key === "") throw new TypeError(`"${word}" is no operation: Cx, Rx or K`);
    const tx = String.fromCharCode(97 + letters++);
    keyOf.set(tx, key);
    return { kind: "commit", tx, key };
  };
  const parsed = programs.map((program) =>
    program.split("|").map((lane) =>
      lane
        .split(" ")
        .filter((word) => word !== "")
        .map(parse),
    ),
  );
  return {
    programs: parsed,
    flaws: new Set(flaw === undefined ? [] : [flaw]),
    decisions: { ...DECISIONS, ...(flaw === undefined ? {} : SWITCHED[flaw]) },
    keyOf,
    power: (faults.power ?? 0) > 0,
    compacts: parsed.flat(2).some(({ kind }) => kind === "compact"),
  };
}

function describe({ redis, store, ghost }: LogState): string {
  const guard =
    redis.guard === null
      ? "no guard"
      : `guard ${redis.guard.epoch}${redis.guard.server === redis.server ? "" : " of another server"}`;
  const tail = redis.tail.entries === "" ? "" : `, tail ${redis.tail.entries}`;
  const begins = store.begins.flatMap((begin, epoch) =>
    begin === null ? [] : [`${epoch}=(${begin.parent},${begin.cut})`],
  );
  const frames = store.frames.map(({ epoch, from, txs, synced }) => `${epoch}/${from}:${txs}${synced ? "" : "?"}`);
  const snapshots = store.snapshots
    .map(({ epoch, data, synced }) => `, snapshot ${epoch} "${data}"${synced ? "" : "?"}`)
    .join("");
  return `Redis "${redis.data}" ${guard}${tail} | log ${frames.join(" ") || "empty"}, claims ${store.claims}, begins ${begins.join(" ") || "none"}${snapshots} | answered ${ghost.promised || "-"}, denied ${ghost.denied || "-"}`;
}
