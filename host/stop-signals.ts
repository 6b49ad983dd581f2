const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Milliseconds. Who presses Ctrl-C twice within it means one thing. */
const ONE_WISH = 1_000;

/**
 * One Ctrl-C arrives twice where npm runs the program: from the terminal, and from npm, which passes on what it gets. So below
 * npm the second signal is never impatience, however late it comes.
 *
 * @param stop the orderly end, called once
 * @param hurry called for every signal of a later wish
 */
export function onStopSignals(stop: () => void, hurry: () => void): void {
  const oneWish = process.env["npm_lifecycle_event"] ? 2 : 1;
  let first: number | undefined;
  let count = 0;
  const asked = (): void => {
    const now = performance.now();
    count += 1;
    if (first === undefined) {
      first = now;
      stop();
    } else if (count > oneWish && now - first >= ONE_WISH) hurry();
  };
  for (const signal of SIGNALS) process.on(signal, asked);
}
