import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export interface RedisServerOptions {
  /** Default: any free one. */
  readonly port?: number;
  /** Further arguments, like `["--maxmemory", "1mb"]`. */
  readonly args?: readonly string[];
}

/** A redis-server of the test's own, with nothing in it and no persistence. */
export interface RedisServer {
  readonly port: number;
  readonly pid: number;
  readonly url: string;
  /** SIGKILL, as a crash; resolves once the process is gone. */
  kill(): Promise<void>;
  /** Ends it in whatever state it is; may be called again. */
  stop(): Promise<void>;
  /** SIGSTOP: it hangs; the kernel still accepts connections and bytes for it. */
  pause(): void;
  resume(): void;
}

/** Starts the `redis-server` of REDIS_SERVER, else of the PATH, and waits until it accepts connections. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  for (let attempts = 1; ; attempts++) {
    const port = options.port ?? (await freePort());
    try {
      return await start(port, options.args ?? []);
    } catch (error) {
      // Somebody else may have taken the port that was free.
      if (attempts === 5) throw error;
    }
  }
}

async function start(port: number, args: readonly string[]): Promise<RedisServer> {
  const program = process.env["REDIS_SERVER"] ?? "redis-server";
  const fixed = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  // A Redis begins with the dump that it finds, and one that is filled as a replica leaves one: not where others would begin with it.
  const dump = `redis-${randomUUID()}.rdb`;
  const place = args.includes("--dir") ? [] : ["--dir", tmpdir(), "--dbfilename", dump];
  // It does not share this process's output: a server that outlives a crashed test must not keep the test runner
  // waiting.
  const child = spawn(program, [...fixed, ...place, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  // An error instead of an exit means that it never ran; `ready` sees that too when its output ends.
  const exited = once(child, "exit").catch((error: unknown) => error);
  await ready(child);
  const end = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
    await rm(join(tmpdir(), dump), { force: true });
  };
  return {
    port,
    pid: child.pid ?? 0,
    url: `redis://127.0.0.1:${port}`,
    kill: end,
    stop: end,
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
  };
}

async function ready(child: ChildProcess): Promise<void> {
  const log: string[] = [];
  child.stderr?.on("data", (text: Buffer) => log.push(text.toString()));
  if (child.stdout === null) throw new Error("redis-server has no output");
  for await (const line of createInterface({ input: child.stdout })) {
    log.push(line);
    if (line.includes("Ready to accept connections")) {
      child.stdout.resume();
      return;
    }
  }
  throw new Error(`redis-server did not start:\n${log.join("\n")}`);
}

/** A TCP port on loopback that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
