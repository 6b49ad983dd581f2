/**
 * Named places at which a test may kill this process, delay it, or make it fail. Outside tests no hook is set, and a
 * place costs one look at a variable.
 */

/**
 * Does whatever a test wants to happen at the place of this name: time passes, an error is thrown, or the process ends.
 */
export type FailPointHook = (name: string) => Promise<void>;

/**
 * What makes sense at a place besides killing or delaying the process there. `drop`: an answer is lost. `disk`: the
 * file system fails (EIO, ENOSPC, a write that takes a part only).
 */
export type FailPointKind = "plain" | "drop" | "disk";

/**
 * It is kept under a global symbol, so that two copies of this module agree, and a test can set it before any of them
 * is loaded.
 */
export const FAIL_POINT_HOOK = Symbol.for("redis-occ.fail-points");

const holder = globalThis as { [FAIL_POINT_HOOK]?: FailPointHook };

/**
 * Makes the function that marks the places of one package.
 *
 * @example
 * const failPoint = failPoints({ "send.before": "plain", "send.after": "drop" });
 * await failPoint("send.before");
 */
export function failPoints<const Name extends string>(
  _names: Readonly<Record<Name, FailPointKind>>,
): (name: Name) => Promise<void> | undefined {
  return (name) => holder[FAIL_POINT_HOOK]?.(name);
}

/** The places of this package. */
export const OCC_FAIL_POINTS = {
  /** A group of transactions is decided; its EXEC has not left. */
  "commit.before": "plain",
  /** Its EXEC ran; nobody has been told, and the hook has yet to see it. */
  "commit.after": "plain",
  /** Any EXEC is about to leave, those of reads and restores too. */
  "exec.before": "plain",
  /** Its answer has come. */
  "exec.after": "drop",
  /** The answer of a commit is lost, and Redis is about to be asked whether it ran. */
  "fence.before": "plain",
  /** That is known. */
  "fence.after": "plain",
} as const satisfies Readonly<Record<string, FailPointKind>>;

export const failPoint = failPoints(OCC_FAIL_POINTS);
