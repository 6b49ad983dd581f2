/**
 * The output of a process may get lost: its reader is gone (EPIPE), or the disk that it is written to is full. That is no reason to
 * end, but an error of these streams that nobody listens to would end the process. Once there is room again, later output is written.
 */
export function outputMayBeLost(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
}
