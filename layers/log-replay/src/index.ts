export { createFileStore } from "./stores/file/identity.ts";
export { openFileStore, type FileStoreOptions } from "./stores/file/store.ts";
export {
  FormatError,
  GoneError,
  LogDamageError,
  LogError,
  ReplicaError,
  RestoringError,
  ServerUnfitError,
  StoreMismatchError,
  StoreUnavailableError,
} from "./errors.ts";
export { LoggedRedis, type CompactionOptions, type LoggedRedisOptions } from "./logged-redis.ts";
export { compact, type CompactOptions, type CompactProgress, type CompactResult } from "./compact/compact.ts";
export { isCompactionDue, type CompactThresholds } from "./compact/due.ts";
export { isInternal } from "./redis/keys.ts";
export type { LogEvent } from "./recover/recovery.ts";
export type { OnDamage } from "./format/frame.ts";
export type {
  Begin,
  Durability,
  LastFrame,
  LogStore,
  RepairableStore,
  Segment,
  SegmentWriter,
  Snapshot,
} from "./stores/store.ts";
export { readHistory, stateAt, type Image, type PastState } from "./read/history.ts";
export type { LogRecord, Position } from "./format/record.ts";
export type { AppendMessage, RestoreMessage } from "./diagnostics.ts";
