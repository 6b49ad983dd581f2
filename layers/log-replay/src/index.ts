export { createFileStore } from "./file-identity.ts";
export { openFileStore, type FileStoreOptions } from "./file-store.ts";
export { GoneError, LogDamageError, LogError, RestoringError, StoreMismatchError, StoreUnavailableError } from "./errors.ts";
export { LoggedRedis, type LoggedRedisOptions } from "./logged-redis.ts";
export { isInternal } from "./keys.ts";
export { restoreState, type RestoreStateOptions } from "./middleware.ts";
export { processWide } from "./process-wide.ts";
export type { LogEvent } from "./recovery.ts";
export type { Begin, Durability, LastFrame, LogStore, Segment, SegmentWriter, Snapshot } from "./store.ts";
