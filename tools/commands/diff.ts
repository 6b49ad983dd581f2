import { diff } from "log-replay/tools";
import { EXIT, ToolError } from "../exit.ts";
import { count, paint, print, printJson } from "../output.ts";
import { openPlaces, redisUrl, type Place } from "../places.ts";

export async function diffStates(
  services: readonly string[],
  { redis, json = false }: { readonly redis?: string; readonly json?: boolean },
): Promise<void> {
  const places = await openPlaces(services);
  for (const place of places) {
    const { keys, differences } = await diff(place.store, requireRedis(place, places.length, redis));
    for (const { key, log, redis: live } of differences) {
      await (json
        ? printJson({ service: place.service, key, log, redis: live })
        : print(`${place.service.padEnd(7)}  ${paint("bold", key)}\n  log    ${log ?? "-"}\n  Redis  ${live ?? "-"}`));
    }
    if (differences.length > 0) process.exitCode = EXIT.wrong;
    if (!json)
      await print(
        `${place.service.padEnd(7)}  ${differences.length === 0 ? paint("green", "equal") : paint("red", count(differences.length, "difference"))}: ${count(keys, "key")}`,
      );
  }
}

/** @throws ToolError where there is none */
function requireRedis({ service }: Place, services: number, given: string | undefined): string {
  if (given !== undefined && services > 1)
    throw new ToolError("--redis names the Redis of one service: name that service");
  const url = given ?? redisUrl(service);
  if (url === undefined)
    throw new ToolError(
      `no Redis of ${service} is known: start the shop, set REDIS_URL_${service.toUpperCase()}, or give --redis`,
    );
  return url;
}
