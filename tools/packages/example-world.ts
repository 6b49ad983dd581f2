/** What the examples of the layers' API take for granted: a program that sells seats, at work. There are only types of it. */
import type { subscribe as Subscribe } from "node:diagnostics_channel";
import type { mkdtemp as Mkdtemp, rename as Rename, rm as Rm } from "node:fs/promises";
import type { join as Join } from "node:path";
import type { setTimeout as Sleep } from "node:timers/promises";
import type Middy from "@middy/core";
import type { Redis as IoRedis } from "ioredis";
import type { LoggedRedis, LogRecord, RepairableStore, Segment } from "log-replay";
import type { Log, Logs, Program } from "log-replay/cli";
import type { StorePlace } from "log-replay/conformance";
import type { Credentials } from "log-replay/s3";
import type { Decide, Occ } from "redis-occ";

export declare const url: string;
export declare const id: string;
export declare const request: { readonly id: string; readonly signal: AbortSignal };
export declare const shutdown: AbortSignal;
export declare const error: unknown;
export declare const problems: readonly string[];
export declare const keys: readonly string[];

export interface Seat {
  readonly holder: string;
}
export interface Session {
  readonly user: string;
}
export declare const occ: Occ;
export declare const plain: Occ;
export declare const book: Decide<number>;
export declare const pay: (amount: number) => Decide<string>;
export declare const lookWhetherItStands: () => Promise<void>;
export declare const look: (seat: string) => void;

export declare const state: LoggedRedis;
export declare const openState: () => Promise<LoggedRedis>;
export declare const sell: (event: unknown) => Promise<string>;
export declare const store: RepairableStore;
export declare const segment: Segment;
export declare const epoch: number;
export declare const frame: Buffer;
export declare const record: LogRecord;
export declare const makePlace: () => Promise<StorePlace>;
export declare const appendInAProcessThatDies: (folder: string, epoch: number, frame: Buffer) => Promise<string>;

export declare const logs: Logs;
export declare const log: Log;
export declare const opened: readonly Log[];
export declare const openShop: (name: string) => Promise<Log>;
export declare const program: Program;

// Of other packages, and of Node.
export declare const Redis: typeof IoRedis;
export declare const middy: typeof Middy;
export declare const superjson: { stringify(value: unknown): string; parse(text: string): unknown };
export declare const fromNodeProviderChain: () => () => Promise<Credentials>;
export declare const test: (name: string, run: () => Promise<void>) => void;
export declare const subscribe: typeof Subscribe;
export declare const setTimeout: typeof Sleep;
export declare const join: typeof Join;
export declare const mkdtemp: typeof Mkdtemp;
export declare const rename: typeof Rename;
export declare const rm: typeof Rm;
