/**
 * Work that Ctrl-C or SIGTERM ends.
 * @param why the error that the work then ends with; null where that is how it is meant to end
 */
export async function untilSignal(why: string | null, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const end = new AbortController();
  const abort = (): void => end.abort(why === null ? undefined : new Error(why));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, abort);
  try {
    await work(end.signal);
  } finally {
    end.abort();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, abort);
  }
}
