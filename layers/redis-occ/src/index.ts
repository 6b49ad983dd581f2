export { Occ, type BatchPart, type CommitMode, type OccOptions } from "./client.ts";
export { Connection, type Command, type ConnectionOptions, type Reply } from "./connection.ts";
export {
  AccessError,
  AddressError,
  ClosedError,
  ClusterError,
  ConflictError,
  ConnectionLostError,
  DatabaseError,
  OccError,
  OutcomeUnknownError,
  ServerRefusedError,
  TimeoutError,
} from "./errors.ts";
export { RolledBackError, type CommitHook, type Premise, type Probe, type Write } from "./hook.ts";
export type { Change, Changes, Decide, Decision, Json, TransactOptions, View } from "./transaction.ts";
export type { AttemptMessage, TransactionMessage } from "./diagnostics.ts";
