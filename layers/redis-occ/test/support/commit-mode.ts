import type { CommitMode } from "../../src/index.ts";

/** The layers' tests run once in each mode: as two projects of jest.config.js. */
export const COMMIT_MODE = (globalThis as { commitMode?: CommitMode }).commitMode ?? "watch";

/** The commands on the wire that begin an attempt, and that commit it. */
export const READ = COMMIT_MODE === "watch" ? "watch" : "mget";
export const EXEC = COMMIT_MODE === "watch" ? "exec" : "evalsha";
