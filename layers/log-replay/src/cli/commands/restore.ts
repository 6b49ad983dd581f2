import { commitAt } from "../../tools/commit-at.ts";
import { restoreTo } from "../../tools/restore-to.ts";
import { EXIT, ToolError } from "../exit.ts";
import { headings, several, type Logs } from "../logs.ts";
import { moment, MOMENT } from "../options.ts";
import { ofRedis } from "../of-redis.ts";
import { confirmed, count, print } from "../output.ts";
import { command, type Command } from "../program.ts";
import { assertOne } from "./diff.ts";

const REDIS = {
  argument: "url",
  what: "into this Redis, for one of them; without it into the one that is known",
} as const;

/**
 * Where a log's Redis is not known, the log alone is turned back: whoever works on it finds a new epoch and restores itself, with
 * the indexes that only it knows.
 */
export function restore(logs: Logs): Command {
  const { log } = logs.example;
  const isKnown = logs.all !== undefined;
  return command({
    name: "restore",
    arguments: several(logs),
    what: "the state of an earlier time, set by a new epoch: the history stays, and this can be turned back as well",
    examples: [`restore ${isKnown ? "" : `${log} `}--at 2026-01-31T12:00:00Z`, `restore ${log} --at 2:1042 --yes`],
    options: {
      at: {
        argument: "moment",
        what: `${MOMENT}; a commit for one ${logs.noun} only`,
        parse: moment,
        isRequired: true,
      },
      ...((isKnown ? { redis: REDIS } : {}) as { redis: typeof REDIS }),
      yes: { what: "does not ask" },
    },
    async run(names, { at, redis, yes = false }) {
      if ("time" in at && at.time > Date.now())
        // It would be taken for the last commit, and whoever mistook the year would believe that the state is back.
        throw new ToolError(
          `--at ${new Date(at.time).toISOString()} is in the future: name a commit, or a time that is over`,
        );
      const opened = await logs.open(names);
      if ("n" in at && opened.length > 1)
        throw new ToolError(
          `commits are numbered in each ${logs.noun} by itself: name one ${logs.noun}, or give a time`,
        );
      assertOne(logs, opened, redis);
      const heading = headings(opened);
      const plans = [];
      for (const each of opened)
        plans.push({ ...each, line: heading(each), url: redis ?? each.redis, to: await commitAt(each.store, at) });
      for (const { line, to, url } of plans) {
        const where =
          to === null
            ? "before its first commit"
            : `after commit ${to.epoch}:${to.n} of ${new Date(to.time).toISOString()}`;
        const what =
          url === undefined
            ? "in the log alone, from which its program restores itself"
            : "in the log and in its Redis";
        await print(`${line}  to the state ${where}, ${what}`);
      }
      if (plans.some(({ url }) => url !== undefined))
        await print(
          "Where a program is at work on it now, what that has under way with others may end up done on one side only: stop it first, if you can.",
        );
      if (!(await confirmed("Restore?", yes))) {
        process.exitCode = EXIT.wrong;
        await print("Nothing was changed.");
        return;
      }
      for (const plan of plans) {
        const { line, store, indexes = [], url, to } = plan;
        // By its number, so that it is the commit that was shown, whatever the clocks say.
        const target = to === null ? { n: 0 } : { epoch: to.epoch, n: to.n };
        const { epoch, changed } = await ofRedis(plan, redis, () =>
          restoreTo({ store, moment: target, indexes, ...(url === undefined ? {} : { url }) }),
        );
        await print(`${line}  restored: epoch ${epoch} sets ${count(changed, "key")} to what they were`);
      }
    },
  });
}
