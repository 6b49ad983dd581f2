import type { LogRecord } from "../../format/record.ts";
import { ToolError } from "../exit.ts";
import { several, type Log, type Logs } from "../logs.ts";
import { LAST, moment, MOMENT } from "../options.ts";
import { command, type Command } from "../program.ts";
import { choiceOptions, selector, teller } from "../records.ts";
import { timeline } from "../timeline.ts";

export function show(logs: Logs): Command {
  const { log, key, op } = logs.example;
  const chosen = selector(logs.choosers);
  return command({
    name: "show",
    arguments: several(logs),
    what: "the history in commit order; of several logs on one time line; times are in UTC",
    examples: [`show ${log}`, `show ${log} --key ${key} --since 2026-01-31`, `show ${log} --op ${op} --json | jq .at`],
    onlyShows: true,
    options: {
      ...choiceOptions(logs.choosers),
      since: { argument: "moment", what: `from here on: ${MOMENT}`, parse: moment },
      until: { argument: "moment", what: "up to here", parse: moment },
      last: { ...LAST, what: "only the last ones" },
      long: { what: "nothing is shortened" },
      json: { what: "one JSON object a line, for programs" },
    },
    async run(names, options) {
      const opened = await logs.open(names);
      for (const end of [options.since, options.until]) {
        if (end !== undefined && "n" in end && opened.length > 1)
          throw new ToolError(
            `commits are numbered in each ${logs.noun} by itself: name one ${logs.noun}, or give a time`,
          );
      }
      const tell = teller(logs, opened, options);
      const kept: (readonly [Log, LogRecord])[] = [];
      for await (const { log: from, line } of timeline(opened, options)) {
        const record = chosen(options, line);
        if (record === null) continue;
        if (options.last === undefined) await tell(from, record);
        else {
          kept.push([from, record]);
          if (kept.length > options.last) kept.shift();
        }
      }
      for (const each of kept) await tell(...each);
    },
  });
}
