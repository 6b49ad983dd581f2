export { Occ, type BatchPart, type CommitMode, type OccOptions, type OccSettings } from "./client.ts";
export type { Codec } from "./codec.ts";
export type { Command } from "./command.ts";
export {
  Connection,
  type ConnectionOptions,
  type ConnectionSource,
  type Reply,
  type RequiredSettings,
} from "./connection.ts";
export {
  AbortedError,
  AccessError,
  AddressError,
  ClosedError,
  ClusterError,
  CommandFailedError,
  ConflictError,
  ConnectionLostError,
  DatabaseError,
  DecodeError,
  OccError,
  OutcomeUnknownError,
  ServerRefusedError,
  TimeoutError,
  WrongTypeError,
} from "./errors.ts";
export { fields, Fields } from "./fields.ts";
export {
  RolledBackError,
  type Beyond,
  type CommitHook,
  type HashChange,
  type Premise,
  type Probe,
  type Write,
} from "./hook.ts";
export type { AnyKeys, Json, KeyOf, ValueOf, ValuesOf } from "./key-map.ts";
export { retry, type RetryOptions } from "./retry.ts";
export type { CallOptions, Change, Changes, Decide, Decision, Expiring, TransactOptions, View } from "./rule.ts";
export type { AttemptMessage, TransactionMessage } from "./diagnostics.ts";
