import { commitAt, restoreTo, type Moment } from "log-replay/tools";
import { EXIT, ToolError } from "../exit.ts";
import { confirmed, count, print } from "../output.ts";
import { openLogs, redisUrl } from "../open-logs.ts";

export interface RestoreOptions {
  readonly at: Moment;
  readonly redis?: string;
  readonly yes?: boolean;
}

export async function restore(services: readonly string[], { at, redis, yes = false }: RestoreOptions): Promise<void> {
  const logs = await openLogs(services);
  if ("n" in at && logs.length > 1)
    throw new ToolError("commits are numbered in each service by itself: name one service, or give a time");
  if (redis !== undefined && logs.length > 1)
    throw new ToolError("--redis names the Redis of one service: name that service");
  const plans = [];
  for (const log of logs)
    plans.push({ ...log, url: redis ?? redisUrl(log.service), to: await commitAt(log.store, at) });
  for (const { service, to, url } of plans) {
    const where =
      to === null
        ? "before its first commit"
        : `after commit ${to.epoch}:${to.n} of ${new Date(to.time).toISOString()}`;
    await print(
      `${service.padEnd(7)}  to the state ${where}, ${url === undefined ? "in the log alone: no Redis of it runs" : "in the log and in its Redis"}`,
    );
  }
  if (plans.some(({ url }) => url !== undefined))
    await print(
      "The shop runs: a checkout that is under way now can keep stock or credit without an order. Stop it first, if you can.",
    );
  if (!(await confirmed("Restore?", yes))) {
    await print("Nothing was changed.");
    process.exitCode = EXIT.wrong;
    return;
  }
  for (const { service, store, indexes, url, to } of plans) {
    // By its number, so that it is the commit that was shown, whatever the clocks say.
    const moment = to === null ? { n: 0 } : { epoch: to.epoch, n: to.n };
    const { epoch, changed } = await restoreTo({ store, moment, indexes, ...(url === undefined ? {} : { url }) });
    await print(`${service.padEnd(7)}  restored: epoch ${epoch} sets ${count(changed, "key")} to what they were`);
  }
}
