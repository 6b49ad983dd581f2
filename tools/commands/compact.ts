import { compact, type CompactProgress } from "log-replay";
import { count, paint, print } from "../output.ts";
import { openLogs } from "../open-logs.ts";

const BAR = 30;

export async function compactLogs(services: readonly string[]): Promise<void> {
  const end = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () =>
      end.abort(new Error("broken off: what is compacted stays so, and the next one goes on from there")),
    );
  for (const { service, store } of await openLogs(services)) {
    const bar = new ProgressBar(service);
    const { snapshot, commits, archived } = await compact(store, {
      signal: end.signal,
      onProgress: (progress) => bar.show(progress),
    }).finally(() => bar.clear());
    const upTo =
      snapshot === null ? "nothing can be folded yet" : `the snapshot is of commit ${snapshot.epoch}:${snapshot.n}`;
    await print(
      `${service.padEnd(7)}  ${paint("green", "compacted")}: ${count(commits, "commit")} folded, ${count(archived, "segment")} archived; ${upTo}`,
    );
  }
}

/** On a terminal only: a file has no use for it. */
class ProgressBar {
  readonly #service: string;

  constructor(service: string) {
    this.#service = service;
  }

  show({ commits, bytes, ofBytes }: CompactProgress): void {
    if (!process.stderr.isTTY) return;
    const share = ofBytes === 0 ? 1 : Math.min(1, bytes / ofBytes);
    const full = Math.round(BAR * share);
    process.stderr.write(
      `\r${this.#service.padEnd(7)}  ${"█".repeat(full)}${"░".repeat(BAR - full)} ${(100 * share).toFixed(0).padStart(3)} %  ${count(commits, "commit")}`,
    );
  }

  clear(): void {
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  }
}
