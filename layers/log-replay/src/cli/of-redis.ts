import { DecodeError, OccError, WrongTypeError } from "redis-occ";
import { LogError, StoreMismatchError } from "../errors.ts";
import { ToolError } from "./exit.ts";
import type { Log } from "./logs.ts";

/**
 * Does what needs the Redis of a log. An error that is about that server says whose it is, and what named it: its own words
 * (`connect ECONNREFUSED`) tell an operator of three services nothing.
 * @param given by the option `--redis`
 * @throws ToolError; what the work throws that is not about the server
 */
export async function ofRedis<T>(
  { name, redisFrom }: Pick<Log, "name" | "redisFrom">,
  given: string | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Error) || !isAboutServer(error)) throw error;
    const source = given === undefined ? redisFrom : "--redis";
    throw new ToolError(`the Redis of ${name}${source === undefined ? "" : ` (${source})`}: ${error.message}`, {
      cause: error,
    });
  }
}

function isAboutServer(error: Error): boolean {
  if (error instanceof StoreMismatchError) return error.message.startsWith("Redis ");
  if (error instanceof LogError) return error.code.startsWith("redis_");
  return error instanceof OccError && !(error instanceof WrongTypeError || error instanceof DecodeError);
}
