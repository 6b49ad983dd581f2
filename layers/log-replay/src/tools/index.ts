/** Reading, checking, repairing and turning back a log, from outside of the services that write it. */
export type { PlacedLine } from "./epoch-reader.ts";
export { diff, type Compared, type Difference } from "./diff.ts";
export { isAfter, parseMoment, parseTime, type Moment } from "./moment.ts";
export { followHistory, readHistory, type Followed, type FollowOptions, type ReadHistoryOptions } from "./read-history.ts";
export { planRepair, repair, type Repaired, type RepairPlan } from "./repair.ts";
export { restoreTo, type RestoredTo, type RestoreToOptions } from "./restore-to.ts";
export { commitAt, stateAt, type CommitAt, type StateAt } from "./state-at.ts";
export { verify, type Finding, type Law, type Verified, type VerifyOptions } from "./verify.ts";
export { parseRecord, timeOf, type LogRecord } from "../record.ts";
