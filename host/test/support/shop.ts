/**
 * Starts the shop as `npm start` does, on a data folder and a port of its own; with SHOP_HOST=serve in the environment as
 * `npm run serve` does.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Service } from "../../configuration.ts";
import { SETTINGS } from "../../../functions/settings/settings.ts";
import { Launched } from "../../launched.ts";
import { freeHttpPort as freeHttpPortIn } from "../../ports.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const NODE = join(ROOT, "node_modules", ".bin", "node");
const READY_WITHIN_MS = 60_000;

export interface ShopOptions {
  /** A fresh temporary folder otherwise, which `stop` removes. */
  dataDir?: string;
  httpPort?: number;
  /** On top of this process's environment without the shop's own variables. */
  environment?: Record<string, string>;
  /** A command that runs the command that follows it. */
  within?: readonly string[];
  /** The project's folder, where it is not this one. */
  root?: string;
}

export interface Shop {
  url: string;
  httpPort: number;
  dataDir: string;
  supervisor: ChildProcess;
  /** @param name redis-order, redis-stock, redis-payment, host, host-8001 ... */
  pid(name: string): number;
  /** SIGKILL. Returns the pid that it had. */
  kill(name: string): number;
  redisUrl(service: Service): string;
  stdout(): string;
  stderr(): string;
  /** Another function host on the same Redis servers and logs. */
  addHost(httpPort?: number): Promise<Shop>;
  /** Resolves with the exit code when all is gone. A data folder that `startShop` made is removed. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface Refusal {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/** Resolves when the shop has said that it is ready. @throws Error with what it said, when it ends before */
export async function startShop(options: ShopOptions = {}): Promise<Shop> {
  const httpPort = options.httpPort ?? (await freeHttpPort());
  const dataDir = options.dataDir ?? temporaryFolder();
  const launched = launch({ ...options, httpPort, dataDir });
  const { process: supervisor, said, ended } = launched;
  const shop: Shop = {
    url: `http://127.0.0.1:${httpPort}`,
    httpPort,
    dataDir,
    supervisor,
    pid: (name) => Number(readFileSync(join(dataDir, "run", `${name}.pid`), "utf8")),
    kill(name) {
      const pid = shop.pid(name);
      process.kill(pid, "SIGKILL");
      return pid;
    },
    redisUrl: (service) => readFileSync(join(dataDir, "run", `redis-${service}.url`), "utf8").trim(),
    stdout: () => said.stdout,
    stderr: () => said.stderr,
    addHost: async (port) =>
      startShop({
        dataDir,
        ...(port === undefined ? {} : { httpPort: port }),
        environment: { ...options.environment, HOSTS_ONLY: "1" },
      }),
    async stop(signal = "SIGTERM") {
      supervisor.kill(signal);
      const exitCode = await ended;
      if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
      return exitCode;
    },
  };
  try {
    await launched.ready(READY_WITHIN_MS);
  } catch (error) {
    await shop.stop();
    throw error;
  }
  return shop;
}

/**
 * A free port. Each worker of jest looks in a range of its own: the port is taken only seconds later, and another one would
 * find it free till then.
 */
export function freeHttpPort(): Promise<number> {
  return freeHttpPortIn(Number(process.env["JEST_WORKER_ID"] ?? 0) % 10);
}

/** For a start that is expected to be refused: resolves when it has ended. */
export async function startRefused(options: ShopOptions & { dataDir: string; httpPort: number }): Promise<Refusal> {
  const { said, ended } = launch(options);
  return { exitCode: await ended, ...said };
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), "shop-"));
}

/** Starts it, and waits for nothing. */
export function launch({ httpPort, dataDir, environment, within = [], root = ROOT }: ShopOptions): Launched {
  const [command = NODE, ...words] = [
    ...within,
    NODE,
    join(root, "host", "main.ts"),
    ...(process.env.SHOP_HOST === "serve" ? ["serve"] : []),
  ];
  const supervisor = spawn(command, words, {
    env: { ...withoutShopVariables(), ...mode(), ...environment, DATA_DIR: dataDir, HTTP_PORT: String(httpPort) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return new Launched(supervisor);
}

/** Whether checkouts go by calls or by events is the choice of the test project, as the host is. */
function mode(): NodeJS.ProcessEnv {
  const { SAGA } = process.env;
  return SAGA === undefined ? {} : { SAGA };
}

/** The test runner's own variables (npm's, jest's) would change what the shop does. */
function withoutShopVariables(): NodeJS.ProcessEnv {
  const shop = new Set(SETTINGS.map(({ name }) => name));
  const more = /^(LOG_STORE_|npm_)|^(INTERNAL_SECRET|NODE_OPTIONS)$/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !shop.has(name) && !more.test(name)));
}
