/** Reading, checking, repairing and turning back a log, from outside the services that write it. */
export { adopt, type Adopted, type AdoptOptions } from "./adopt.ts";
export { commitAt, type CommitAt } from "./commit-at.ts";
export { copyLog, type Copied } from "./copy.ts";
export { diff, type Compared, type Difference } from "./diff.ts";
export { isAfter, parseMoment, parseTime, type Moment } from "./moment.ts";
export { planRepair, repair, type Repaired, type RepairPlan } from "./repair.ts";
export { restoreTo, type RestoredTo, type RestoreToOptions } from "./restore-to.ts";
export type { Stray } from "./strays.ts";
export { verify, type Finding, type Law, type Verified, type VerifyOptions } from "./verify.ts";
export { parseRecord, timeOf, type LogRecord } from "../format/record.ts";
export type { SegmentLine } from "../read/epoch-reader.ts";
export {
  followHistory,
  historyLines,
  type Followed,
  type FollowOptions,
  type HistoryLinesOptions,
} from "../read/history-lines.ts";
