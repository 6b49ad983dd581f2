/** A request from one function to another in the same process. */
export interface DirectRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/**
 * Runs the function behind a route as the gateway would: with the same event, and with a context and a time of its own.
 * @returns null where no function of this process has the route
 */
export type Dispatch = (
  request: DirectRequest,
) => Promise<{ readonly statusCode: number; readonly body: string }> | null;

/** A global symbol: functions that are bundled one by one have a copy of this module each, and none of the others' handlers. */
const OFFERED = Symbol.for("shop.dispatch");

const holder = globalThis as { [OFFERED]?: Dispatch | null };

/** Called by the host of the functions: from now on those of this process reach each other directly; null ends that. */
export function offerDispatch(dispatch: Dispatch | null): void {
  holder[OFFERED] = dispatch;
}

/** What this process's host has offered; null where each function is alone in its process. */
export function offeredDispatch(): Dispatch | null {
  return holder[OFFERED] ?? null;
}
