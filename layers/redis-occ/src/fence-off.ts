import type { LostExec } from "./attempt.ts";
import type { Command } from "./command.ts";
import type { Connection, Reply } from "./connection.ts";
import { ConnectionLostError, OutcomeUnknownError } from "./errors.ts";
import { failPoint } from "./fail-points.ts";
import type { CommitHook, Premise } from "./hook.ts";
import type { Lane } from "./lane.ts";
import { judgeLostExec } from "./lost-exec.ts";
import type { Pool } from "./pool.ts";

/** Seconds for which the fence stays: longer than a commit can be on its way to the server. */
const FENCE_TTL = 3600;

/**
 * Finds out whether an EXEC ran whose answer is lost. It may even run later, because the server can still have it in a
 * buffer. So one MULTI first touches its fence, which it watches, and then reads its marker, which it writes.
 *
 * @returns true where it ran, false where it did not and never will
 * @throws OutcomeUnknownError where the server was restarted or its data replaced, and the hook cannot tell either;
 *   any other error of the family where no answer was to be had: then it may be asked again
 */
export async function fenceOff(pool: Pool<Lane>, hook: CommitHook, lost: LostExec): Promise<boolean> {
  if (lost.writes.length === 0) return false;
  await failPoint("fence.before");
  const ran = judgeLostExec(await pool.with(({ connection }) => askMarker(connection, hook, lost)));
  await failPoint("fence.after");
  if (ran === "not run") return false;
  try {
    return await hook.recall(lost.session, lost.writes, ran);
  } catch (error) {
    if (error instanceof ConnectionLostError) throw error;
    throw new OutcomeUnknownError("the answer of EXEC was lost, and with it whether it ran", { cause: error });
  }
}

/** Touches the fence and reads the marker; null if this is not the server that the EXEC was sent to. */
async function askMarker(
  connection: Connection,
  hook: CommitHook,
  lost: LostExec,
): Promise<Parameters<typeof judgeLostExec>[0]> {
  if (connection.runId !== lost.connection.runId) return null;
  const { premise } = lost;
  const replies = await connection.transaction([
    ["set", lost.identity.fence, "touched", "EX", FENCE_TTL],
    ["mget", lost.identity.marker, ...hook.watch],
    ...(premise === undefined ? [] : premiseCommands(premise)),
  ]);
  const [touched, values, ...told] = replies ?? [];
  if (touched !== "OK" || !Array.isArray(values)) throw new ConnectionLostError("Redis did not tell the marker");
  const [marker, ...watched] = values;
  const sameValues = watched.every((value, i) => value === lost.watched[i]);
  return {
    sameHookValues: sameValues && (premise === undefined || holds(premise, told)),
    markerSet: marker === lost.stamp,
  };
}

/** Data that were put back, or come from another server, may lack a marker that was there. */
function premiseCommands({ counter }: Premise): Command[] {
  return [
    ["info", "replication"],
    ["get", counter.key],
  ];
}

function holds({ history, counter }: Premise, [info, count]: readonly (Reply | Error)[]): boolean {
  return String(info).includes(`master_replid:${history}`) && Number(count ?? NaN) >= counter.least;
}
