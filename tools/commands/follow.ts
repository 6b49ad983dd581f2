import { commitAt, followHistory } from "log-replay/tools";
import { paint, print, printJson } from "../output.ts";
import { openLogs, type OpenLog } from "../open-logs.ts";
import { chosen, type Choice } from "../records.ts";
import { teller } from "./show.ts";

export interface FollowLogOptions extends Choice {
  readonly last: number;
  readonly long?: boolean;
  readonly json?: boolean;
}

export async function follow(services: readonly string[], options: FollowLogOptions): Promise<void> {
  const logs = await openLogs(services);
  const end = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => end.abort());
  try {
    await Promise.all(logs.map((log) => followOne(log, logs.length > 1, options, end.signal)));
  } finally {
    end.abort();
  }
}

async function followOne(
  log: OpenLog,
  withService: boolean,
  options: FollowLogOptions,
  signal: AbortSignal,
): Promise<void> {
  const { service, store } = log;
  const tell = teller(withService, options);
  const last = (await commitAt(store, { time: Infinity }))?.n ?? 0;
  for await (const step of followHistory(store, { after: Math.max(0, last - options.last), signal })) {
    if ("record" in step) {
      const record = chosen(options, step.record);
      if (record !== null) await tell({ service, record });
    } else if (options.json) await printJson({ service, began: step.began, cut: step.cut, dropped: step.dropped });
    else {
      const dropped = step.dropped > 0 ? `; ${step.dropped} commits of before do not count` : "";
      await print(paint("dim", `-- ${service}: epoch ${step.began} goes on from commit ${step.cut}${dropped}`));
    }
  }
}
