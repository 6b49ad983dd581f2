/** Where redis-server is, and whether it is new enough. Plain JavaScript: the bootstrap needs it before anything is installed. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** XADD with an explicit epoch (`e-*`) came with Redis 7.0. */
export const MINIMUM_REDIS_VERSION = 7;

/**
 * @param {Record<string, string | undefined>} environment
 * @returns {{ path: string } | { path?: undefined, problem: string, fatal: boolean }} fatal: the person named a wrong one, so no other is looked for
 */
export function findRedisServer(environment) {
  const named = environment.REDIS_SERVER;
  if (named) {
    const path = named.includes("/") ? named : onPath(named, environment);
    const problem = path === undefined ? "is not on the PATH" : versionProblem(path);
    return problem === undefined
      ? { path: /** @type {string} */ (path) }
      : { problem: `REDIS_SERVER=${named} ${problem}`, fatal: true };
  }
  let problem = "no redis-server or valkey-server is on the PATH";
  for (const name of ["redis-server", "valkey-server"]) {
    const path = onPath(name, environment);
    if (path === undefined) continue;
    const wrong = versionProblem(path);
    if (wrong === undefined) return { path };
    problem = `${path} ${wrong}`;
  }
  return { problem, fatal: false };
}

/** @param {string} name @param {Record<string, string | undefined>} environment */
function onPath(name, environment) {
  for (const folder of (environment.PATH ?? "").split(delimiter)) {
    if (folder !== "" && isExecutable(join(folder, name))) return join(folder, name);
  }
  return undefined;
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** @param {string} path @returns {string | undefined} */
function versionProblem(path) {
  if (!isExecutable(path)) return "is not an executable file";
  const said = spawnSync(path, ["--version"], { encoding: "utf8" }).stdout ?? "";
  const version = /v=(\d+)\.(\d+)\.(\d+)/.exec(said);
  if (!version) return "does not say a Redis version";
  return Number(version[1]) >= MINIMUM_REDIS_VERSION
    ? undefined
    : `is version ${version.slice(1).join(".")}, ${MINIMUM_REDIS_VERSION} or newer is needed`;
}
