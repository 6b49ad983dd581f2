/**
 * What a restore leaves in Redis about the last commits before it. Many processes may have lost the answer to one when Redis was
 * lost. If each of them read the log for it, that would be as many reads of as many segments as there are processes.
 */
import type { Command, Reply } from "redis-occ";
import type { RecordedCommits } from "../protocol.ts";
import { RECORDED } from "./keys.ts";

/** Commits at most that it tells of: who has lost an answer has lost it moments ago. */
export const MOST_RECORDED = 4_096;

/** Milliseconds that it stays. Who has lost an answer waits for the restore, and asks at once. */
const LIFE = 60_000;

export interface Recorded extends RecordedCommits {
  /** The identity of the log that it tells of. */
  readonly store: string;
  /** What the commits are named. */
  readonly txs: readonly string[];
}

export function keepRecorded(recorded: Recorded): Command {
  return ["set", RECORDED, JSON.stringify(recorded), "PX", LIFE];
}

export const ASK_RECORDED: Command = ["get", RECORDED];

export function parseRecorded(reply: Reply | undefined): Recorded | null {
  return typeof reply === "string" ? (JSON.parse(reply) as Recorded) : null;
}
