import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { besides } from "./configuration.ts";
import { StartError } from "./start-error.ts";

export const LOOPBACK = "127.0.0.1";

/** @throws StartError where something listens on the port already, or the host is not this machine's */
export async function requireFreePort(port: number, purpose: string, host = LOOPBACK): Promise<void> {
  try {
    await listenOnce(port, host);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new StartError(
      code === "EADDRINUSE"
        ? `port ${port} (${purpose}) is taken by another program`
        : `port ${port} (${purpose}) cannot be used: ${message}`,
    );
  }
}

/** As many different ports, free at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await listenOnce(0));
  return [...ports];
}

/**
 * A port that is free, as is its neighbour for the Lambda endpoint, and outside the range from which the system takes ports for connections.
 * @param range from 0 to 9: programs that look at the same time find different ports where each has a range of its own
 */
export async function freeHttpPort(range = 0): Promise<number> {
  for (;;) {
    const port = 10_000 + 1_000 * range + randomInt(1_000);
    try {
      for (const needed of [port, besides(port)]) await listenOnce(needed);
      return port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    }
  }
}

async function listenOnce(port: number, host = LOOPBACK): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : port));
    });
  });
}
