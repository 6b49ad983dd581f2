/**
 * What a process says may get lost: its reader is gone (EPIPE), or the disk that it is written to is full. That is no reason to
 * end, which an unheard error of these streams would be. Once there is room again, what is said then is there.
 */
export function outputMayBeLost(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
}
