/** A functions' host as a child process that is started again whenever it dies. */
import { fork, type ChildProcess } from "node:child_process";
import { on, once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { formatFaults, type Fault } from "../faults/catalogue.ts";

const HERE = import.meta.dirname;
const NODE = join(HERE, "..", "..", "..", "node_modules", ".bin", "node");
const FAULTS = ["preload.ts", "clock.ts"].map((name) => join(HERE, "..", "faults", name));

export interface HostOptions {
  readonly port: number;
  readonly environment: Readonly<Record<string, string>>;
  /** What it says, its request log: appended. */
  readonly outputFile: string;
  /** Loaded before its code, besides the fail points. */
  readonly preloads?: readonly string[];
}

export class HostProcess {
  readonly url: string;
  /** What its next lives begin with, one after the other; the later ones begin with nothing. */
  nextFaults: (readonly Fault[])[] = [];
  readonly #options: HostOptions;
  #child: ChildProcess | undefined;
  #serving: Promise<void> = Promise.resolve();
  #held = false;

  constructor(options: HostOptions) {
    this.#options = options;
    this.url = `http://127.0.0.1:${options.port}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Resolves once it serves; it is started again for as long as that takes. */
  async start(): Promise<void> {
    this.#held = false;
    this.#spawn();
    await this.serving();
  }

  /** Resolves once it serves, in whichever life. */
  async serving(): Promise<void> {
    for (let awaited; awaited !== this.#serving;) await (awaited = this.#serving);
  }

  /** Replaces what it is to do from now on. Resolves once it knows, or is dead; its next life begins without. */
  async arm(faults: readonly Fault[]): Promise<void> {
    const child = this.#child;
    if (child?.connected !== true) return;
    const text = formatFaults(faults);
    const known = new AbortController();
    const { signal } = known;
    child.send({ faults: text }, (error) => error && known.abort());
    const dead = once(child, "exit", { signal });
    const told = (async () => {
      for await (const [message] of on(child, "message", { signal }))
        if ((message as { armed?: string }).armed === text) return;
    })();
    await Promise.race([dead, told]).catch(() => undefined);
    known.abort();
    await Promise.allSettled([dead, told]);
  }

  /** Its clock is that many milliseconds ahead from now on. */
  setClock(ahead: number): void {
    if (this.#child?.connected === true) this.#child.send({ clock: ahead });
  }

  signal(what: NodeJS.Signals): void {
    this.#child?.kill(what);
  }

  /** SIGKILL; it stays dead until `start`. */
  async kill(): Promise<void> {
    this.#held = true;
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  #spawn(): void {
    const { port, environment, outputFile, preloads = [] } = this.#options;
    const output = openSync(outputFile, "a");
    const { NODE_OPTIONS: _, ...inherited } = process.env;
    const child = fork(join(HERE, "host.ts"), [], {
      execPath: NODE,
      execArgv: [...preloads, ...FAULTS].flatMap((file) => ["--import", file]),
      env: {
        ...inherited,
        NODE_COMPILE_CACHE: "node_modules/.cache/node-compile",
        ...environment,
        HTTP_PORT: String(port),
        FAIL_POINT: formatFaults(this.nextFaults.shift() ?? []),
      },
      stdio: ["ignore", output, output, "ipc"],
    });
    closeSync(output);
    this.#child = child;
    this.#serving = new Promise((resolve) => {
      child.on("message", (message: unknown) => (message as { serving?: true }).serving && resolve());
      child.once("exit", () => {
        if (!this.#held) this.#spawn();
        resolve();
      });
    });
  }
}
