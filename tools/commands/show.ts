import type { Moment } from "log-replay/tools";
import { ToolError } from "../exit.ts";
import { print, printJson } from "../output.ts";
import { openLogs } from "../open-logs.ts";
import { chosen, plain, pretty, type Choice, type ServiceRecord } from "../records.ts";
import { timeline } from "../timeline.ts";

export interface ShowOptions extends Choice {
  readonly since?: Moment;
  readonly until?: Moment;
  readonly last?: number;
  readonly long?: boolean;
  readonly json?: boolean;
}

export async function show(services: readonly string[], options: ShowOptions): Promise<void> {
  const logs = await openLogs(services);
  for (const moment of [options.since, options.until]) {
    if (moment !== undefined && "n" in moment && logs.length > 1)
      throw new ToolError("commits are numbered in each service by itself: name one service, or give a time");
  }
  const tell = teller(logs.length > 1, options);
  const kept: ServiceRecord[] = [];
  for await (const { log, line } of timeline(logs, options)) {
    const record = chosen(options, line);
    if (record === null) continue;
    if (options.last === undefined) await tell({ service: log.service, record });
    else {
      kept.push({ service: log.service, record });
      if (kept.length > options.last) kept.shift();
    }
  }
  for (const record of kept) await tell(record);
}

/** How one record is printed. */
export function teller(
  withService: boolean,
  { long, json }: { readonly long?: boolean; readonly json?: boolean },
): (record: ServiceRecord) => Promise<void> {
  return (record) => (json ? printJson(plain(record)) : print(pretty(record, { long: long ?? false, withService })));
}
