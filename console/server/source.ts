import { existsSync } from "node:fs";
import { join } from "node:path";
import type { LogStore } from "log-replay";
import { dataFolder, logLocation } from "../../functions/settings/configuration.ts";
import { SERVICES, type ServiceName } from "../../functions/settings/services.ts";
import { openLogs } from "../../tools/open-logs.ts";

/** Where the console reads. */
export interface Source {
  /** For a person: a folder, or buckets. */
  readonly described: string;
  readonly stores: readonly { readonly service: ServiceName; readonly store: LogStore }[];
  /** The folder with the request logs and the supervisor's notes; null where there is none. */
  readonly runFolder: string | null;
  /** Milliseconds between two looks at what was appended: a look at a bucket is a request that is paid for. */
  readonly pause: number;
}

/** The shop's own logs: in S3 where LOG_BUCKET_ORDER and the like say so, else in DATA_DIR. @throws ToolError */
export async function openSource(): Promise<Source> {
  const buckets = SERVICES.filter((service) => logLocation(service).logBucket !== undefined);
  const logs = await openLogs(buckets);
  if (buckets.length > 0)
    return { described: logs.map(({ where }) => where).join(" "), stores: logs, runFolder: null, pause: 5_000 };
  const runFolder = join(dataFolder(), "run");
  return { described: dataFolder(), stores: logs, runFolder: existsSync(runFolder) ? runFolder : null, pause: 200 };
}

/** Where the console's token is kept; null where there is no data folder of a shop. */
export function tokenFile({ runFolder }: Source): string | null {
  return runFolder === null ? null : join(dataFolder(), "secrets", "console-token");
}
