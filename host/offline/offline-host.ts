/** `npm start`: the functions behind serverless-offline, on loopback. */
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Configuration } from "../configuration.ts";
import { type Diagnostics } from "../diagnostics.ts";
import { type FunctionHost } from "../function-host.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const POLL_MS = 25;

/**
 * Options of V8. `--optimize-for-size` would save 85 MB when idle, and cost 60 % more CPU for a checkout: a fifth of
 * all time would go to collecting garbage.
 */
const MEMORY_FLAGS = ["--max-semi-space-size=16"];

const PATIENCE_MS = 4_000;
const FUNCTION_PREFIX = "shop-offline-";
/** A long log takes its time to replay. A host that takes longer than this hangs. */
const INVOCATION_TIMEOUT_MS = 300_000;

export function offlineHost(
  name: string,
  { httpPort, lambdaPort }: Configuration,
  diagnostics: Diagnostics,
): FunctionHost {
  return {
    ports: [
      { port: httpPort, setting: "HTTP_PORT" },
      { port: lambdaPort, setting: "LAMBDA_PORT, derived from HTTP_PORT unless set" },
    ],
    patience: PATIENCE_MS,
    invoke: (called, signal) => invoke(lambdaPort, FUNCTION_PREFIX + called, signal),
    cleanUp: () => rmSync(join(ROOT, workFolder(httpPort)), { recursive: true, force: true }),
    child: (environment) => ({
      name,
      spawn: () =>
        diagnostics.withOutput(name, (output) =>
          spawn(
            process.execPath,
            [
              ...MEMORY_FLAGS,
              "--import",
              join(import.meta.dirname, "preload.ts"),
              join(ROOT, "node_modules", "serverless", "bin", "serverless.js"),
              "offline",
              "--stage",
              "offline",
            ],
            {
              cwd: ROOT,
              detached: true,
              stdio: ["ignore", output, output],
              env: {
                ...process.env,
                ...environment,
                HTTP_PORT: String(httpPort),
                LAMBDA_PORT: String(lambdaPort),
                ESBUILD_WORK_FOLDER: workFolder(httpPort),
                NODE_DISABLE_COMPILE_CACHE: "1", // would take 25 MB more in this process, and not start sooner
                SLS_LOG_LEVEL: "error",
                SLS_NOTIFICATIONS_MODE: "off",
                SLS_TELEMETRY_DISABLED: "1",
                NO_COLOR: "1",
              },
            },
          ),
        ),
      async ready(signal) {
        while (!(await answers(httpPort))) await sleep(POLL_MS, undefined, { signal });
        signal.throwIfAborted();
      },
    }),
  };
}

/**
 * Relative to the project and inside it, so that the bundles' imports of the layers resolve through its node_modules.
 */
function workFolder(httpPort: number): string {
  return join(".esbuild", String(httpPort));
}

async function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ host: "127.0.0.1", port, path: "/", agent: false, timeout: 1_000 }, (response) => {
      response.resume();
      resolve(true); // whatever it says: it serves
    });
    asked.once("timeout", () => asked.destroy(new Error("timeout")));
    asked.once("error", () => resolve(false));
    asked.end();
  });
}

/** The Lambda API's Invoke: there is no public route for it. @throws Error where the function is not there, throws, or answers with an error status */
async function invoke(lambdaPort: number, functionName: string, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const asked = request(
      {
        host: "127.0.0.1",
        port: lambdaPort,
        method: "POST",
        path: `/2015-03-31/functions/${functionName}/invocations`,
        agent: false,
        timeout: INVOCATION_TIMEOUT_MS,
        signal,
      },
      (response) => {
        let said = "";
        response.on("data", (bytes: Buffer) => (said += bytes.toString()));
        response.once("error", reject);
        response.once("end", () => {
          const failed =
            response.statusCode !== 200 ||
            response.headers["x-amz-function-error"] !== undefined ||
            answersWithError(said);
          if (failed) reject(new Error(said.slice(0, 1_000) || `status ${response.statusCode}`));
          else resolve();
        });
      },
    );
    asked.once("timeout", () => asked.destroy(new Error(`no answer in ${INVOCATION_TIMEOUT_MS} ms`)));
    asked.once("error", reject);
    asked.end("{}");
  });
}

function answersWithError(payload: string): boolean {
  try {
    const { statusCode } = JSON.parse(payload) as { statusCode?: unknown };
    return typeof statusCode === "number" && statusCode >= 400;
  } catch {
    return false; // an empty answer, or text
  }
}
