import { stateAt } from "../../read/history.ts";
import type { LogStore } from "../../stores/store.ts";
import { commitAt } from "../../tools/commit-at.ts";
import type { Moment } from "../../tools/moment.ts";
import { one, openOne, type Logs } from "../logs.ts";
import { moment, MOMENT } from "../options.ts";
import { count, hashMark, paint, print, printJson, until } from "../output.ts";
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
    onlyShows: true,
    options: {
      at: { argument: "moment", what: MOMENT, parse: moment },
      key: { argument: "key", what: "only this key; user:* for all that begin so" },
      json: { what: "one JSON object a line, for programs" },
    },
    async run([name = ""], { at, key, json = false }) {
      const { store } = await openOne(logs, name);
      const { position, images } = await stateAt(store, await limitOf(store, at));
      const keys = [...images.keys()].filter((candidate) => key === undefined || matches(key, candidate)).sort();
      for (const each of keys) {
        const { image = "null", fields, end = null } = images.get(each) ?? {};
        const more = { ...(fields === undefined ? {} : { hash: true }), ...(end === null ? {} : { end }) };
        await (json
          ? printJson({ key: each, value: JSON.parse(image) as unknown, ...more })
          : print(`${paint("green", each)}  ${hashMark(fields !== undefined)}${image}${until(end ?? undefined)}`));
      }
      const where = position === null ? "before the first commit" : `after commit ${position.epoch}:${position.n}`;
      // Not on stdout: that is for the keys alone.
      process.stderr.write(`${count(keys.length, "key")} of ${name} ${where}\n`);
    },
  });
}

/** By its time where that is given: then keys had ended that the commit before it still had. @throws RangeError where there is no such commit */
async function limitOf(
  store: LogStore,
  at: Moment | undefined,
): Promise<{ readonly n?: number; readonly at?: number }> {
  if (at === undefined) return {};
  return "time" in at ? { at: at.time } : { n: (await commitAt(store, at))?.n ?? 0 };
}
