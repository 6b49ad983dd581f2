const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Milliseconds. One Ctrl-C arrives twice, from the terminal and from npm, which passes on what it gets: only later ones are impatience. */
const ONE_WISH = 1_000;

/**
 * @param stop the orderly end, called once
 * @param hurry called for every signal that comes after a pause
 */
export function onStopSignals(stop: () => void, hurry: () => void): void {
  let first: number | undefined;
  const asked = (): void => {
    const now = performance.now();
    if (first === undefined) {
      first = now;
      stop();
    } else if (now - first >= ONE_WISH) hurry();
  };
  for (const signal of SIGNALS) process.on(signal, asked);
}
