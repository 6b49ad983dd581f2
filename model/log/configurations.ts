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
};

/** For each trap, a configuration in which it is fallen into. Without the flaw, nothing happens in it. */
export const LOG_MUTANTS: Readonly<Record<LogFlaw, LogConfiguration>> = {
  "cut not recorded": { programs: ["Cx", "Cy"], faults: { theft: 1, append: 1 } },
  "commit number instead of run id": { programs: ["Cx", "Cx Rx"], faults: { stale: 1 } },
  "tail fetched by a second read": { programs: ["Cx", "Cy"], faults: { lost: 1 } },
  "epoch chosen after the seal": { programs: ["Cx", "Cy"], faults: { theft: 1 } },
  "claimed guard is fine": { programs: ["Cx"], faults: { append: 1 } },
  "durable carried over": { programs: ["Cx Cy"], faults: { append: 1 } },
  "durable before the claim check": { programs: ["Cx", "Cy"], faults: { lost: 1 } },
  "read without claim check": { programs: ["Cx", "Rx"], faults: { lost: 1 } },
  "append without claim check": { programs: ["Cx", "Cy"], faults: { lost: 1 } },
  "survey does not sync": { programs: ["Cx"], faults: { append: 1, power: 1 } },
  "replay without wipe": { programs: ["Cx Cx"], faults: { append: 1 } },
  "replay survives its connection": { programs: ["Cx Cy Rx"], faults: { lost: 2 } },
  "replay without token": { programs: ["Cx", "Cy"], faults: { theft: 1 } },
  "survey before the claim": { programs: ["Cx", "Cy"], faults: { lost: 1 } },
  "half an EXEC is kept": { programs: ["Cx Rx"], faults: { half: 1 } },
  "lost reply means not executed": { programs: ["Cx Cy"], faults: { reply: 1 } },
  "marker without fence": { programs: ["Cx Cy"], faults: { reply: 1 } },
  "denied before it is decided": { programs: ["Cx", "Cy"], faults: { append: 1 } },
  "decided below a seal": { programs: ["Cx", "Cy"], faults: { theft: 1, append: 1 } },
  "failed fsync tried again": { programs: ["Cx"], faults: { append: 1, power: 1 } },
  "folder not synced": { programs: ["Cx"], faults: { power: 1 } },
  "begin not synced": { programs: ["Cx Cy"], faults: { power: 1 } },
  "undurable begin believed": { programs: ["Cx", "Cy"], faults: { append: 1, power: 1 } },
  "late reply opens an older epoch": { programs: ["Cx Cy|Rx"], faults: { append: 1 } },
  "compaction of what is not decided": { programs: ["Cx K", "Ry"], faults: { theft: 1, lost: 1 } },
  "compaction deletes first": { programs: ["Cx Rx K"], faults: { lost: 1, crash: 1 } },
  "compaction forgets the cuts": { programs: ["Cx", "Cy K"], faults: { lost: 1 } },
  "survey over a moving snapshot": { programs: ["Cx K", "Cy"], faults: { lost: 1 } },
};
