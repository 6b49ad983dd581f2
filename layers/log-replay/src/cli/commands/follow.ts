import { followHistory } from "../../read/history-lines.ts";
import { commitAt } from "../../tools/commit-at.ts";
import { label, several, type Log, type Logs } from "../logs.ts";
import { LAST } from "../options.ts";
import { paint, print, printJson } from "../output.ts";
import { command, type Command } from "../program.ts";
import { choiceOptions, selector, teller, type Telling } from "../records.ts";
import { untilSignal } from "../signals.ts";

export function follow(logs: Logs): Command {
  const { log } = logs.example;
  const chosen = selector(logs.choosers);
  return command({
    name: "follow",
    arguments: several(logs),
    what: "what is appended, as it is, over new segments and epochs; Ctrl-C ends it",
    examples: [`follow ${log}`, `follow ${log} --last 0 --json`],
    onlyShows: true,
    options: {
      ...choiceOptions(logs.choosers),
      last: { ...LAST, what: "that many commits of before, first", usual: 10 },
      long: { what: "nothing is shortened" },
      json: { what: "one JSON object a line, for programs" },
    },
    async run(names, options) {
      const opened = await logs.open(names);
      const tell = teller(logs, opened, options);
      await untilSignal(null, async (signal) => {
        await Promise.all(opened.map((each) => followOne(each, signal)));
      });

      async function followOne(from: Log, signal: AbortSignal): Promise<void> {
        const last = (await commitAt(from.store, { time: Infinity }))?.n ?? 0;
        for await (const step of followHistory(from.store, { after: Math.max(0, last - options.last), signal })) {
          if (!("record" in step)) await tellEpoch(from, step, options);
          else {
            const record = chosen(options, step.record);
            if (record !== null) await tell(from, record);
          }
        }
      }
    },
  });

  async function tellEpoch(
    from: Log,
    { began, cut, dropped }: { readonly began: number; readonly cut: number; readonly dropped: number },
    { json = false }: Telling,
  ): Promise<void> {
    if (json) return printJson({ ...label(logs, from), began, cut, dropped });
    const lost = dropped > 0 ? `; ${dropped} commits of before do not count` : "";
    await print(paint("dim", `-- ${from.name}: epoch ${began} goes on from commit ${cut}${lost}`));
  }
}
