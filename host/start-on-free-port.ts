import { freePorts } from "./ports.ts";
import { StartError } from "./start-error.ts";
import type { SupervisedProcess } from "./supervised-process.ts";

const ATTEMPTS = 5;

/**
 * Starts a server on a port that is free. Between the moment in which it is found free and the start, somebody else may take it.
 * @param make the server on this port; one that did not start is stopped, and another one made
 * @returns the port
 * @throws StartError
 */
export async function startOnFreePort(what: string, make: (port: number) => SupervisedProcess): Promise<number> {
  let problem = "";
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const [port = 0] = await freePorts(1);
    const server = make(port);
    try {
      await server.start();
      return port;
    } catch (error) {
      problem = (error as Error).message;
      await server.stop(0);
    }
  }
  throw new StartError(`${what} did not start: ${problem}`);
}
