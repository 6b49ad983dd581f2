import type { FunctionDescription } from "../gateway/description.ts";

/**
 * Runs the scheduled functions at their rates, each no more than once at a time: a run that takes longer than the pause
 * skips the ticks that it misses.
 * @returns a function that ends the schedules; runs that are under way go on
 */
export function startSchedules(
  functions: readonly FunctionDescription[],
  invoke: (name: string) => Promise<unknown>,
): () => void {
  const running = new Set<string>();
  const tick = async (name: string): Promise<void> => {
    if (running.has(name)) return;
    running.add(name);
    // The function has written its own error into the request log, and the next tick tries again.
    await invoke(name).catch(() => undefined);
    running.delete(name);
  };
  const timers = functions.flatMap(({ name, schedules }) =>
    schedules.map((rate) => setInterval(() => void tick(name), rate)),
  );
  return () => timers.forEach((timer) => clearInterval(timer));
}
