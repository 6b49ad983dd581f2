/** A first look at the Redis servers that are given. The functions look closer, once they run: that may take seconds. */
import { connect } from "node:net";
import type { Configuration, Service } from "./configuration.ts";
import type { Diagnostics } from "./diagnostics.ts";

/** Milliseconds that a server has to accept a connection. */
const PATIENCE_MS = 1_000;

/** Warns of each server that cannot be reached and is waited for. Never rejects. */
export async function lookAtGiven(given: Configuration["givenRedis"], diagnostics: Diagnostics): Promise<void> {
  await Promise.all(
    (Object.entries(given) as [Service, string][]).map(async ([service, url]) => {
      const problem = await problemOf(new URL(url));
      if (problem !== null) diagnostics.warn(`waiting: REDIS_URL_${service.toUpperCase()}: ${problem}`);
    }),
  );
}

function problemOf({ hostname, port }: URL): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({
      host: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port || 6379),
      timeout: PATIENCE_MS,
    });
    const finish = (problem: string | null): void => {
      socket.destroy();
      resolve(problem);
    };
    socket.once("connect", () => finish(null));
    socket.once("timeout", () => finish(`no connection within ${PATIENCE_MS} ms`));
    socket.once("error", ({ message, code }: NodeJS.ErrnoException) => finish(message || (code ?? "no connection")));
  });
}
