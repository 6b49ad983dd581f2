/** The host's queue server as a child process that can be killed. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..", "..");

export class QueueServer {
  readonly url: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  private constructor(port: number) {
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(port: number): Promise<QueueServer> {
    const server = new QueueServer(port);
    await server.restart();
    return server;
  }

  /** SIGKILL, and an empty one at the same address. */
  async restart(): Promise<void> {
    await this.kill();
    const { NODE_OPTIONS: _, ...environment } = process.env;
    const child = fork(join(ROOT, "host", "queues", "queue-server.ts"), [String(this.#port)], {
      execPath: join(ROOT, "node_modules", ".bin", "node"),
      execArgv: [],
      env: environment,
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    this.#child = child;
    await once(child, "message");
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }
}
