/** A shop of one's own, as `npm start` gives it, for programs: the benchmark and the demo. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Service } from "./configuration.ts";

export interface RunningShop {
  readonly url: string;
  /** Of `npm start`. */
  readonly pid: number;
  readonly dataFolder: string;
  readonly redisUrl: (service: Service) => string;
  /** Of one of its processes, as it is now: host, redis-order, redis-stock, redis-payment. */
  readonly pidOf: (name: string) => number;
  /** Stops it and leaves its data folder. */
  readonly stop: () => Promise<void>;
  readonly removeData: () => void;
}

/**
 * `npm start`, as a user would, on a data folder of its own.
 * @param environment settings, on top of this process's own
 * @throws Error where it ends before it is ready
 */
export async function startShop(port: number, environment: Readonly<Record<string, string>> = {}): Promise<RunningShop> {
  const dataFolder = mkdtempSync(join(tmpdir(), "shop-"));
  const child = spawn("npm", ["start"], {
    cwd: join(import.meta.dirname, ".."),
    env: { ...process.env, ...environment, HTTP_PORT: String(port), DATA_DIR: dataFolder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    let said = "";
    child.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
    child.stdout.on("data", (bytes: Buffer) => {
      said += bytes.toString();
      if (said.includes("ready: ")) resolve();
    });
    child.once("close", () => {
      rmSync(dataFolder, { recursive: true, force: true });
      reject(new Error(`npm start ended: ${said}`));
    });
  });
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    dataFolder,
    redisUrl: (service) => readFileSync(join(dataFolder, "run", `redis-${service}.url`), "utf8").trim(),
    pidOf: (name) => Number(readFileSync(join(dataFolder, "run", `${name}.pid`), "utf8")),
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
    },
    removeData: () => rmSync(dataFolder, { recursive: true, force: true }),
  };
}
