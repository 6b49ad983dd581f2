import type { Invariant } from "../invariants.ts";
import type { LogConfiguration } from "./model.ts";
import type { LogFlaw } from "./flaws.ts";

/** Small enough to be explored to the end within seconds each; together they have every step and every fault. */
export const LOG_CONFIGURATIONS: Readonly<Record<string, LogConfiguration>> = {
  "two writers, one crash": { programs: ["Cx Rx", "Cx"], faults: { crash: 1 } },
  "Redis lost": { programs: ["Cx", "Rx"], faults: { lost: 1 } },
  "stale Redis": { programs: ["Cx", "Cx Rx"], faults: { stale: 1 } },
  "reply lost": { programs: ["Cx", "Cx Rx"], faults: { reply: 1 } },
  "reply and Redis lost": { programs: ["Cx Rx"], faults: { reply: 1, lost: 1 } },
  "lock stolen": { programs: ["Cx", "Cx"], faults: { theft: 1 } },
  "append fails": { programs: ["Cx", "Cx Rx"], faults: { append: 1 } },
  "power fails": { programs: ["Cx", "Cx"], faults: { power: 1, append: 1 } },
  "a read beside a commit": { programs: ["Cx Cy|Rx"], faults: { append: 1, lost: 1 } },
  "half an EXEC": { programs: ["Cx Rx"], faults: { half: 1, lost: 1 } },
  compaction: { programs: ["Cx Rx|K"], faults: { lost: 1, crash: 1 } },
  "two compactions": { programs: ["Cx K", "Cx K"], faults: {} },
  "a snapshot and a power failure": { programs: ["Cx K Rx"], faults: { power: 1, lost: 1 } },
};

/** For each trap, a configuration in which it is fallen into, and the invariant that is broken then. */
export const LOG_MUTANTS: Readonly<Record<LogFlaw, LogConfiguration & { readonly breaks: Invariant }>> = {
  "cut not recorded": { programs: ["Cx", "Cy"], faults: { lost: 1 }, breaks: "1 an answer is durable" },
  "commit number instead of run id": {
    programs: ["Cx", "Cx Rx"],
    faults: { stale: 1 },
    breaks: "2 the log is a prefix",
  },
  "tail fetched by a second read": { programs: ["Cx", "Cy"], faults: { lost: 1 }, breaks: "2 the log is a prefix" },
  "epoch chosen after the seal": { programs: ["Cx", "Cy"], faults: { theft: 1 }, breaks: "2 the log is a prefix" },
  "claimed guard is fine": { programs: ["Cx"], faults: { append: 1 }, breaks: "7 settles by itself" },
  "durable carried over": { programs: ["Cx Cy"], faults: { append: 1 }, breaks: "1 an answer is durable" },
  "durable before the claim check": { programs: ["Cx", "Cy"], faults: { lost: 1 }, breaks: "1 an answer is durable" },
  "append without claim check": { programs: ["Cx", "Cy"], faults: { lost: 1 }, breaks: "1 an answer is durable" },
  "read without claim check": { programs: ["Cx", "Rx"], faults: { lost: 1 }, breaks: "1 an answer is durable" },
  "tail taken for durable": { programs: ["Cx", "Rx"], faults: {}, breaks: "1 an answer is durable" },
  "own appends taken for durable": { programs: ["Cx|Rx"], faults: {}, breaks: "1 an answer is durable" },
  "survey does not sync": { programs: ["Cx"], faults: { append: 1, power: 1 }, breaks: "2 the log is a prefix" },
  "survey before the claim": { programs: ["Cx", "Cy"], faults: { lost: 1 }, breaks: "1 an answer is durable" },
  "replay without wipe": { programs: ["Cx Cx"], faults: { append: 1 }, breaks: "3 replay is a function of the log" },
  "replay survives its connection": {
    programs: ["Cx Cy Rx"],
    faults: { lost: 2 },
    breaks: "3 replay is a function of the log",
  },
  "replay without token": { programs: ["Cx", "Cy"], faults: { theft: 1 }, breaks: "3 replay is a function of the log" },
  "guard before the state": { programs: ["Cx", "Rx"], faults: { lost: 1 }, breaks: "4 no write on missing state" },
  "guard not watched": { programs: ["Cx|Cy"], faults: { append: 1 }, breaks: "4 no write on missing state" },
  "half an EXEC is kept": { programs: ["Cx Rx"], faults: { half: 1 }, breaks: "1 an answer is durable" },
  "lost reply means not executed": { programs: ["Cx Cy"], faults: { reply: 1 }, breaks: "5 at most once" },
  "marker without fence": { programs: ["Cx Cy"], faults: { reply: 1 }, breaks: "5 at most once" },
  "marker of a replaced state": { programs: ["Cx", "Cy"], faults: { reply: 1, append: 1 }, breaks: "5 at most once" },
  "denied before it is decided": { programs: ["Cx", "Cy"], faults: { append: 1 }, breaks: "5 at most once" },
  "decided below a seal": { programs: ["Cx", "Cy"], faults: { theft: 1, append: 1 }, breaks: "5 at most once" },
  "failed fsync tried again": { programs: ["Cx"], faults: { append: 1, power: 1 }, breaks: "1 an answer is durable" },
  "folder not synced": { programs: ["Cx"], faults: { power: 1 }, breaks: "1 an answer is durable" },
  "begin not synced": { programs: ["Cx Cy"], faults: { power: 1 }, breaks: "1 an answer is durable" },
  "undurable begin believed": { programs: ["Cx", "Cy"], faults: { append: 1, power: 1 }, breaks: "5 at most once" },
  "late reply opens an older epoch": {
    programs: ["Cx Cy|Rx"],
    faults: { append: 1 },
    breaks: "1 an answer is durable",
  },
  "compaction of what is not decided": {
    programs: ["Cx|K", "Ry"],
    faults: { lost: 1 },
    breaks: "2 the log is a prefix",
  },
  "compaction deletes first": { programs: ["Cx K"], faults: { crash: 1 }, breaks: "1 an answer is durable" },
  "snapshot not synced": { programs: ["Cx K"], faults: { power: 1 }, breaks: "1 an answer is durable" },
  "snapshot goes back": { programs: ["Cx K", "Cy K"], faults: {}, breaks: "1 an answer is durable" },
  "compaction forgets the cuts": { programs: ["Cx K"], faults: { append: 1 }, breaks: "2 the log is a prefix" },
  "survey over a moving snapshot": { programs: ["Cx K", "Cy"], faults: { lost: 1 }, breaks: "2 the log is a prefix" },
};
