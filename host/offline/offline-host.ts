/** `npm start`: the functions behind serverless-offline, on loopback. */
import { spawn } from "node:child_process";
import { accessSync, constants, rmSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Configuration } from "../configuration.ts";
import { type Diagnostics } from "../diagnostics.ts";
import { type FunctionHost } from "../function-host.ts";
import { StartError } from "../start-error.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const POLL_MS = 25;

/**
 * Options of V8. `--optimize-for-size` would save 85 MB when idle, and cost 60 % more CPU for a checkout: a fifth of
 * all time would go to collecting garbage.
 */
const MEMORY_FLAGS = ["--max-semi-space-size=16"];

/** Longer than the host itself waits for the requests that it has. */
const PATIENCE_MS = 13_000;
const FUNCTION_PREFIX = "shop-offline-";
/** A long log takes its time to replay. A host that takes longer than this hangs. */
const INVOCATION_TIMEOUT_MS = 300_000;

export function offlineHost(
  name: string,
  { httpHost, httpPort, lambdaPort, url }: Configuration,
  diagnostics: Diagnostics,
): FunctionHost {
  requireWritable(ROOT);
  return {
    ports: [
      { port: httpPort, setting: "HTTP_HOST, HTTP_PORT", host: httpHost },
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
              new URL("preload.ts", import.meta.url).href, // a path with a % would be taken for an escape
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
        while (!(await answers(url))) await sleep(POLL_MS, undefined, { signal });
        signal.throwIfAborted();
      },
    }),
  };
}

/** The bundles are written into the project, because their imports of the layers resolve from there. */
function requireWritable(folder: string): void {
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    throw new StartError(
      `npm start writes its bundles into ${folder}, which cannot be written: npm run serve needs none`,
    );
  }
}

/**
 * Relative to the project and inside it, so that the bundles' imports of the layers resolve through its node_modules.
 */
function workFolder(httpPort: number): string {
  return join(".esbuild", String(httpPort));
}

async function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request(url, { agent: false, timeout: 1_000 }, (response) => {
      response.resume();
      resolve(true); // whatever it says: it serves
    });
    asked.once("timeout", () => asked.destroy(new Error("timeout")));
    asked.once("error", () => resolve(false));
    asked.end();
  });
}

/** The Lambda API's Invoke: there is no public route for it. @throws Error where the function is not there, or throws */
function invoke(lambdaPort: number, functionName: string, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
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
          if (response.statusCode === 200 && response.headers["x-amz-function-error"] === undefined)
            resolve(parsed(said));
          else reject(new Error(said.slice(0, 1_000) || `status ${response.statusCode}`));
        });
      },
    );
    asked.once("timeout", () => asked.destroy(new Error(`no answer in ${INVOCATION_TIMEOUT_MS} ms`)));
    asked.once("error", reject);
    asked.end("{}");
  });
}

/** What a function has returned: JSON, or nothing. */
function parsed(payload: string): unknown {
  return payload === "" ? null : JSON.parse(payload);
}
