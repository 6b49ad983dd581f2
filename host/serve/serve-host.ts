/** `npm run serve`: the functions behind Node's own HTTP server. The supervisor talks to it over the channel that it was started with. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type Configuration } from "../configuration.ts";
import { type Diagnostics } from "../diagnostics.ts";
import { type FunctionHost } from "../function-host.ts";
import type { HostMessage, InvokeRequest } from "./messages.ts";

/** Longer than the host itself waits for the requests that it has. */
const PATIENCE_MS = 13_000;

/**
 * An option of V8: without room for what 200 requests under way hold, each collection copies it. At 200 connections the
 * collector takes 23 % of the process's time with 16 MB, 15 % with 32 and 12 % with 64. The process has 190, 250 and
 * 310 MB under load, and the same in all three cases when idle.
 */
const MEMORY_FLAGS = ["--max-semi-space-size=64"];

export function serveHost(name: string, { httpHost, httpPort }: Configuration, diagnostics: Diagnostics): FunctionHost {
  let host: ChildProcess | undefined;
  let invocations = 0;
  return {
    ports: [{ port: httpPort, setting: "HTTP_HOST, HTTP_PORT", host: httpHost }],
    patience: PATIENCE_MS,
    invoke: async (called, signal) => {
      if (!host?.connected) throw new Error("the host is not there");
      return invoke(host, { id: ++invocations, invoke: called }, signal);
    },
    cleanUp: () => undefined,
    child: (environment) => ({
      name,
      spawn: () =>
        (host = diagnostics.withOutput(name, (output) =>
          spawn(process.execPath, [...MEMORY_FLAGS, join(import.meta.dirname, "main.ts")], {
            cwd: join(import.meta.dirname, "..", ".."),
            detached: true,
            stdio: ["ignore", output, output, "ipc"],
            env: { ...process.env, ...environment },
          }),
        )),
      async ready(signal) {
        const running = host;
        if (running === undefined) throw new Error("it was not started");
        for (let serves = false; !serves;) {
          const [message] = (await once(running, "message", { signal })) as [HostMessage];
          serves = "serving" in message;
        }
      },
    }),
  };
}

/** @throws Error with what the function threw, or where the host is gone before it has answered */
function invoke(host: ChildProcess, request: InvokeRequest, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const finish = (error: Error | null, result?: unknown): void => {
      host.off("message", answered).off("disconnect", gone);
      signal.removeEventListener("abort", gone);
      if (error === null) resolve(result);
      else reject(error);
    };
    const answered = (message: HostMessage): void => {
      if (!("id" in message) || message.id !== request.id) return;
      if ("error" in message) finish(new Error(message.error));
      else finish(null, message.result);
    };
    const gone = (): void => finish(new Error("the host is gone"));
    host.on("message", answered).once("disconnect", gone);
    signal.addEventListener("abort", gone, { once: true });
    host.send(request, (error) => error && finish(error));
  });
}
