/**
 * Moves the clock of this process ahead, so that a test decides by events when a deadline has passed: how fast the
 * machine is then changes nothing. Timers go on as they are.
 */
const real = Date.now.bind(Date);

/** So many milliseconds have gone by at once. */
export function leap(milliseconds: number): void {
  const now = Date.now.bind(Date);
  Date.now = () => now() + milliseconds;
}

/** The clock is right again. */
export function setRight(): void {
  Date.now = real;
}
