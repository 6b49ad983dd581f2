/** What the types promise to whoever calls the layer. There is nothing to run: the type check is the test. */
import { expectTypeOf } from "expect-type";
import type { Occ } from "redis-occ";
import { storeCases } from "../src/conformance/index.ts";
import {
  LoggedRedis,
  openFileStore,
  type Image,
  type LoggedRedisOptions,
  type LogRecord,
  type LogStore,
  type RepairableStore,
} from "../src/index.ts";

declare const state: LoggedRedis;
declare const store: LogStore;

// Transactions are those of redis-occ.
expectTypeOf(state.occ).toEqualTypeOf<Occ>();
expectTypeOf(state.occ.transact([], () => ({ result: "yes" }))).resolves.toEqualTypeOf<string>();

// The two kinds of store that are here fit where any store does, and can be repaired.
expectTypeOf(openFileStore({ folder: "log" })).resolves.toExtend<RepairableStore>();
expectTypeOf<RepairableStore>().toExtend<LogStore>();

// An address and a log are needed, and an option that does not exist is an error before the program runs.
expectTypeOf<{ url: string; store: LogStore }>().toExtend<LoggedRedisOptions>();
// @ts-expect-error a log is needed
void new LoggedRedis({ url: "redis://127.0.0.1" });
// @ts-expect-error no such option
void new LoggedRedis({ url: "redis://127.0.0.1", store, retries: 3 });
// Whether keys may end is yes or no; the log says of each when it does.
expectTypeOf<LoggedRedisOptions["expiry"]>().toEqualTypeOf<boolean | undefined>();
// @ts-expect-error that is no yes
void new LoggedRedis({ url: "redis://127.0.0.1", store, expiry: 60_000 });
expectTypeOf<LogRecord["ends"]>().toEqualTypeOf<Readonly<Record<string, number>> | undefined>();
expectTypeOf<Image["end"]>().toEqualTypeOf<number | null>();
// So is whether keys may hold hashes.
expectTypeOf<LoggedRedisOptions["hashes"]>().toEqualTypeOf<boolean | undefined>();
expectTypeOf<Image["fields"]>().toEqualTypeOf<ReadonlyMap<string, string> | undefined>();
// @ts-expect-error no such mode
void openFileStore({ folder: "log", durability: "sometimes" });

// The cases of a store are for any test runner.
expectTypeOf(storeCases).returns.toEqualTypeOf<Readonly<Record<string, () => Promise<void>>>>();
