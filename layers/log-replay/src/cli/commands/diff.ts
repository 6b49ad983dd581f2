import { diff as compare } from "../../tools/diff.ts";
import { EXIT, ToolError } from "../exit.ts";
import { headings, label, several, type Log, type Logs } from "../logs.ts";
import { ofRedis } from "../of-redis.ts";
import { count, hashMark, paint, print, printJson, until } from "../output.ts";
import { command, type Command } from "../program.ts";

export function diff(logs: Logs): Command {
  const { log } = logs.example;
  const isKnown = logs.all !== undefined;
  return command({
    name: "diff",
    arguments: several(logs),
    what: "each key in which the live Redis differs from its log",
    examples: [...(isKnown ? ["diff"] : []), `diff ${log} --redis redis://127.0.0.1:6379`],
    options: {
      redis: {
        argument: "url",
        what: isKnown ? `this Redis, for one ${logs.noun}; without it the one that is known` : "the Redis of the log",
        isRequired: !isKnown,
      },
      json: { what: "one JSON object a line, for programs" },
    },
    async run(names, { redis, json = false }) {
      const opened = await logs.open(names);
      const heading = headings(opened);
      for (const each of opened) {
        const url = redisOf(logs, opened, each, redis);
        const { keys, differences } = await ofRedis(each, redis, () => compare(each.store, url));
        if (differences.length > 0) process.exitCode = EXIT.wrong;
        for (const difference of differences) {
          const { key, log: logged, redis: live, hash, ends } = difference;
          const values =
            `\n  log    ${hashMark(hash?.log)}${logged ?? "-"}${until(ends?.log)}` +
            `\n  Redis  ${hashMark(hash?.redis)}${live ?? "-"}${until(ends?.redis)}`;
          await (json
            ? printJson({ ...label(logs, each), ...difference })
            : print(`${heading(each)}  ${paint("bold", key)}${values}`));
        }
        if (json) continue;
        const verdict =
          differences.length === 0 ? paint("green", "equal") : paint("red", count(differences.length, "difference"));
        await print(`${heading(each)}  ${verdict}: ${count(keys, "key")}`);
      }
    },
  });
}

/** @throws ToolError where none is known */
function redisOf(logs: Logs, opened: readonly Log[], log: Log, given: string | undefined): string {
  assertOne(logs, opened, given);
  const url = given ?? log.redis;
  if (url === undefined) throw new ToolError(`no Redis of ${log.name} is known: start it, or give --redis`);
  return url;
}

/** @throws ToolError where an option names one Redis for several logs */
export function assertOne({ noun }: Logs, opened: readonly Log[], given: string | undefined): void {
  if (given !== undefined && opened.length > 1)
    throw new ToolError(`--redis names the Redis of one ${noun}: name that ${noun}`);
}
