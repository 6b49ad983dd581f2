import { compact as fold, type CompactProgress } from "../../compact/compact.ts";
import { headings, several, type Logs } from "../logs.ts";
import { count, paint, print } from "../output.ts";
import { command, type Command } from "../program.ts";
import { untilSignal } from "../signals.ts";

const BAR = 30;
const BROKEN_OFF = "broken off: what is compacted stays so, and the next one goes on from there";

export function compact(logs: Logs): Command {
  const { log } = logs.example;
  return command({
    name: "compact",
    arguments: several(logs),
    what: "folds the log into a snapshot and archives what is in it, so that a restore reads less; beside its writers, too, and safe to kill",
    examples: [`compact ${log}`],
    options: {},
    async run(names) {
      const opened = await logs.open(names);
      const heading = headings(opened);
      await untilSignal(BROKEN_OFF, async (signal) => {
        for (const each of opened) {
          const bar = new ProgressBar(heading(each));
          const { snapshot, commits, archived } = await fold(each.store, {
            signal,
            onProgress: (progress) => bar.show(progress),
          }).finally(() => bar.clear());
          const upTo =
            snapshot === null
              ? "nothing can be folded yet"
              : `the snapshot is of commit ${snapshot.epoch}:${snapshot.n}`;
          await print(
            `${heading(each)}  ${paint("green", "compacted")}: ${count(commits, "commit")} folded, ${count(archived, "segment")} archived; ${upTo}`,
          );
        }
      });
    },
  });
}

/** On a terminal only: a file has no use for it. */
class ProgressBar {
  readonly #heading: string;

  constructor(heading: string) {
    this.#heading = heading;
  }

  show({ commits, bytes, ofBytes }: CompactProgress): void {
    if (!process.stderr.isTTY) return;
    const share = ofBytes === 0 ? 1 : Math.min(1, bytes / ofBytes);
    const full = Math.round(BAR * share);
    process.stderr.write(
      `\r${this.#heading}  ${"█".repeat(full)}${"░".repeat(BAR - full)} ${(100 * share).toFixed(0).padStart(3)} %  ${count(commits, "commit")}`,
    );
  }

  clear(): void {
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  }
}
