import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const SERVICES = ["order", "stock", "payment"] as const;

export interface RunningShop {
  readonly url: string;
  /** Of npm. */
  readonly pid: number;
  readonly dataFolder: string;
  readonly redisUrl: (service: (typeof SERVICES)[number]) => string;
  /** Stops it and leaves its data folder. */
  readonly stop: () => Promise<void>;
  readonly removeData: () => void;
}

/** `npm start` or `npm run serve`, as a user would, on a data folder of its own. @throws Error where it ends before it is ready */
export async function startShop(port: number, script: "start" | "serve" = "start"): Promise<RunningShop> {
  const dataFolder = mkdtempSync(join(tmpdir(), "shop-bench-"));
  const child = spawn("npm", ["run", script], {
    cwd: join(import.meta.dirname, ".."),
    env: { ...process.env, HTTP_PORT: String(port), DATA_DIR: dataFolder },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    let said = "";
    child.stdout.on("data", (bytes: Buffer) => {
      said += bytes.toString();
      if (said.includes("ready: ")) resolve();
    });
    child.once("close", () => reject(new Error(`npm run ${script} ended: ${said}`)));
  });
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    dataFolder,
    redisUrl: (service) => readFileSync(join(dataFolder, "run", `redis-${service}.url`), "utf8").trim(),
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
    },
    removeData: () => rmSync(dataFolder, { recursive: true, force: true }),
  };
}
