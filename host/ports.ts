import { createServer } from "node:net";
import { StartError } from "./start-error.ts";

const LOOPBACK = "127.0.0.1";

/** @throws StartError where something listens on the port already */
export async function requireFreePort(port: number, purpose: string): Promise<void> {
  try {
    await listenOnce(port);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new StartError(code === "EADDRINUSE" ? `port ${port} (${purpose}) is taken by another program` : `port ${port} (${purpose}) cannot be used: ${message}`);
  }
}

/** As many different ports, free at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await listenOnce(0));
  return [...ports];
}

/** A port whose neighbour for the Lambda endpoint is free, too, and outside the range from which the system takes ports for connections. */
export async function freeHttpPort(): Promise<number> {
  const [any = 0] = await freePorts(1);
  return 10_000 + (any % 10_000);
}

async function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : port));
    });
  });
}
