/** What the exit code tells. */
export const EXIT = {
  /** Done, and all is as it should be. */
  ok: 0,
  /** Done, and something is not as it should be (damage, a difference, a violation), or the answer was no. */
  wrong: 1,
  /** It could not be done: wrong arguments, no such log, no Redis. */
  failed: 2,
} as const;

/** An error whose message says everything. */
export class ToolError extends Error {
  override readonly name = "ToolError";
}

/** One line for a person, and a stack only if it is a bug of this tool. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: unknown };
  const known =
    error instanceof ToolError || error instanceof RangeError || error instanceof TypeError || typeof code === "string";
  return known ? error.message : (error.stack ?? error.message);
}
