import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const SERVICES = ["order", "stock", "payment"] as const;
export type Service = (typeof SERVICES)[number];

/** A shop that an npm script of this project runs, as a user would start it. */
export class RunningShop {
  readonly url: string;
  readonly dataFolder: string;
  readonly #script: string;
  readonly #port: number;
  #process: ChildProcess | undefined;

  constructor(script: string, port: number) {
    this.#script = script;
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.dataFolder = mkdtempSync(join(tmpdir(), "shop-bench-"));
  }

  /** Of the npm script; everything else is below it. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  redisUrl(service: Service): string {
    return readFileSync(join(this.dataFolder, "run", `redis-${service}.url`), "utf8").trim();
  }

  redisPid(service: Service): number {
    return Number(readFileSync(join(this.dataFolder, "run", `redis-${service}.pid`), "utf8"));
  }

  logFolder(service: Service): string {
    return join(this.dataFolder, "log", service);
  }

  /** @throws Error where it ends before it is ready */
  async start(): Promise<void> {
    const child = spawn("npm", ["run", this.#script], {
      cwd: join(import.meta.dirname, ".."),
      env: { ...process.env, HTTP_PORT: String(this.#port), DATA_DIR: this.dataFolder, LOG_LEVEL: process.env["LOG_LEVEL"] || "info" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      let said = "";
      child.stdout.on("data", (bytes: Buffer) => {
        said += bytes.toString();
        if (said.includes("ready: ")) resolve();
      });
      child.once("close", () => reject(new Error(`npm run ${this.#script} ended: ${said}`)));
    });
  }

  /** Stops it and leaves its data folder. */
  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "close");
  }

  removeData(): void {
    rmSync(this.dataFolder, { recursive: true, force: true });
  }
}

export async function startShop(script: string, port: number): Promise<RunningShop> {
  const shop = new RunningShop(script, port);
  try {
    await shop.start();
  } catch (error) {
    shop.removeData();
    throw error;
  }
  return shop;
}
