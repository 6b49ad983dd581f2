import { stateAt } from "../../read/history.ts";
import { commitAt } from "../../tools/commit-at.ts";
import { one, openOne, type Logs } from "../logs.ts";
import { moment, MOMENT } from "../options.ts";
import { count, paint, print, printJson, until } from "../output.ts";
import { command, type Command } from "../program.ts";
import { matches } from "../records.ts";

export function state(logs: Logs): Command {
  const { log, key: sample } = logs.example;
  return command({
    name: "state",
    arguments: one(logs),
    what: "the state that the log gives, without Redis; now or at any time",
    examples: [
      `state ${log}`,
      `state ${log} --at 2026-01-31T12:00:00Z`,
      `state ${log} --at 2:1042 --key ${sample} --json`,
    ],
    options: {
      at: { argument: "moment", what: MOMENT, parse: moment },
      key: { argument: "key", what: "only this key; user:* for all that begin so" },
      json: { what: "one JSON object a line, for programs" },
    },
    async run([name = ""], { at, key, json = false }) {
      const { store } = await openOne(logs, name);
      const n = at === undefined ? Infinity : ((await commitAt(store, at))?.n ?? 0);
      const { position, images } = await stateAt(store, { n });
      const keys = [...images.keys()].filter((candidate) => key === undefined || matches(key, candidate)).sort();
      for (const each of keys) {
        const { image, end } = images.get(each) ?? { image: "null", end: null };
        await (json
          ? printJson({ key: each, value: JSON.parse(image) as unknown, ...(end === null ? {} : { ends: end }) })
          : print(`${paint("green", each)}  ${image}${until(end)}`));
      }
      const where = position === null ? "before the first commit" : `after commit ${position.epoch}:${position.n}`;
      // Not on stdout: that is for the keys alone.
      process.stderr.write(`${count(keys.length, "key")} of ${name} ${where}\n`);
    },
  });
}
