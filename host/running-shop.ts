import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Service } from "./configuration.ts";
import { Launched } from "./launched.ts";

/** A shop on a data folder of its own, for programs: an npm script of this project, run as a user would run it. */
export class RunningShop {
  readonly url: string;
  readonly dataFolder: string;
  readonly #script: string;
  readonly #port: number;
  readonly #environment: Readonly<Record<string, string>>;
  #process: ChildProcess | undefined;

  /** @param environment settings, on top of this process's own */
  constructor(script: string, port: number, environment: Readonly<Record<string, string>>) {
    this.#script = script;
    this.#port = port;
    this.#environment = environment;
    this.url = `http://127.0.0.1:${port}`;
    this.dataFolder = mkdtempSync(join(tmpdir(), "shop-own-"));
  }

  /** The pid of the npm script; all other processes are below it. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  redisUrl(service: Service): string {
    return readFileSync(join(this.dataFolder, "run", `redis-${service}.url`), "utf8").trim();
  }

  /** The pid of one of its processes, as it is now: host, redis-order, redis-stock, redis-payment. */
  pidOf(name: string): number {
    return Number(readFileSync(join(this.dataFolder, "run", `${name}.pid`), "utf8"));
  }

  logFolder(service: Service): string {
    return join(this.dataFolder, "log", service);
  }

  /** @throws Error where it ends before it is ready */
  async start(): Promise<void> {
    const child = spawn("npm", ["run", this.#script], {
      cwd: join(import.meta.dirname, ".."),
      env: {
        ...process.env,
        HTTP_HOST: "127.0.0.1",
        HTTP_PORT: String(this.#port),
        DATA_DIR: this.dataFolder,
        LOG_LEVEL: process.env["LOG_LEVEL"] || "info",
        ...this.#environment,
      },
      stdio: ["ignore", "pipe", "pipe"],
      // Ctrl-C is for the program that has started it, which still needs it to come to its end.
      detached: true,
    });
    this.#process = child;
    process.once("exit", this.#endWithProgram);
    await new Launched(child).ready();
  }

  /** Stops it and leaves its data folder. */
  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    process.off("exit", this.#endWithProgram);
    if (child === undefined || child.exitCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "close");
  }

  /** A program that ends without a word leaves no shop behind. */
  readonly #endWithProgram = (): void => void this.#process?.kill("SIGTERM");

  removeData(): void {
    rmSync(this.dataFolder, { recursive: true, force: true });
  }
}

/** Resolves when it is ready. @throws Error with what it said, where it ends before */
export async function startShop(
  script: string,
  port: number,
  environment: Readonly<Record<string, string>> = {},
): Promise<RunningShop> {
  const shop = new RunningShop(script, port, environment);
  try {
    await shop.start();
  } catch (error) {
    shop.removeData();
    throw error;
  }
  return shop;
}
