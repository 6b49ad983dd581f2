/** The process that serves the functions: serverless-offline, on loopback. */
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Configuration } from "./configuration.ts";
import { type Diagnostics } from "./diagnostics.ts";
import { type Child } from "./supervised-process.ts";

const ROOT = join(import.meta.dirname, "..");
const POLL_MS = 25;

/** Of V8. `--optimize-for-size` would save 85 MB idle, and cost 60 % more CPU a checkout: a fifth of all time goes to collecting garbage then. */
const MEMORY_FLAGS = ["--max-semi-space-size=16"];

export function functionHost(name: string, configuration: Configuration, environment: Record<string, string>, diagnostics: Diagnostics): Child {
  const { httpPort, lambdaPort } = configuration;
  return {
    name,
    spawn: () =>
      diagnostics.withOutput(name, (output) =>
        spawn(
          process.execPath,
          [...MEMORY_FLAGS, "--import", join(import.meta.dirname, "offline", "preload.ts"), join(ROOT, "node_modules", "serverless", "bin", "serverless.js"), "offline", "--stage", "offline"],
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
              NODE_DISABLE_COMPILE_CACHE: "1", // 25 MB more in this process, and no sooner up
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
  };
}

/** Relative to the project, inside it: the bundles' imports of the layers resolve through its node_modules. */
function workFolder(httpPort: number): string {
  return join(".esbuild", String(httpPort));
}

export function removeBundles(httpPort: number): void {
  rmSync(join(ROOT, workFolder(httpPort)), { recursive: true, force: true });
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
