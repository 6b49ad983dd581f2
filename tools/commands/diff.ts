import { diff } from "log-replay/tools";
import { EXIT, ToolError } from "../exit.ts";
import { count, paint, print, printJson } from "../output.ts";
import { openLogs, redisUrl, type OpenLog } from "../open-logs.ts";

export async function diffStates(
  services: readonly string[],
  { redis, json = false }: { readonly redis?: string; readonly json?: boolean },
): Promise<void> {
  const sources = await openLogs(services);
  for (const source of sources) {
    const { keys, differences } = await diff(source.store, requireRedis(source, sources.length, redis));
    for (const { key, log, redis: live } of differences) {
      await (json
        ? printJson({ service: source.service, key, log, redis: live })
        : print(`${source.service.padEnd(7)}  ${paint("bold", key)}\n  log    ${log ?? "-"}\n  Redis  ${live ?? "-"}`));
    }
    if (differences.length > 0) process.exitCode = EXIT.wrong;
    if (!json)
      await print(
        `${source.service.padEnd(7)}  ${differences.length === 0 ? paint("green", "equal") : paint("red", count(differences.length, "difference"))}: ${count(keys, "key")}`,
      );
  }
}

/** @throws ToolError where there is none */
function requireRedis({ service }: OpenLog, services: number, given: string | undefined): string {
  if (given !== undefined && services > 1)
    throw new ToolError("--redis names the Redis of one service: name that service");
  const url = given ?? redisUrl(service);
  if (url === undefined)
    throw new ToolError(
      `no Redis of ${service} is known: start the shop, set REDIS_URL_${service.toUpperCase()}, or give --redis`,
    );
  return url;
}
