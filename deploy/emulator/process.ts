/** What both emulators are: a program of a Python environment that serves one port of loopback, and says by HTTP when it does. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Diagnostics } from "../../host/diagnostics.ts";
import { type Child } from "../../host/supervised-process.ts";
import { assertForThisMachineAlone } from "./sockets.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const POLL_MS = 100;

/** An emulator of AWS that needs no Docker: it runs each Lambda as a process of this machine. */
export interface Emulator {
  /** What the stage is deployed with on it: variables that serverless.yml reads. */
  readonly stage: Readonly<Record<string, string>>;
  /** @param folder where it keeps what it is told */
  child(port: number, folder: string, diagnostics: Diagnostics): Child;
}

export interface EmulatorProgram {
  /** `.emulator/NAME/venv` has it. */
  readonly name: string;
  /** First the program, in `bin` of that environment. */
  readonly command: readonly [string, ...string[]];
  /** Path that answers 200 when it serves. */
  readonly health: string;
  readonly env: Readonly<Record<string, string>>;
}

/** @param folder where it keeps what it is told */
export function emulatorProcess(
  { name, command: [program, ...args], health, env }: EmulatorProgram,
  port: number,
  folder: string,
  diagnostics: Diagnostics,
): Child {
  let running: ChildProcess | undefined;
  return {
    name: "emulator",
    spawn() {
      const temporary = join(folder, "tmp");
      mkdirSync(temporary, { recursive: true });
      running = diagnostics.withOutput("emulator", (output) =>
        spawn(join(ROOT, ".emulator", name, "venv", "bin", program), args, {
          cwd: folder,
          detached: true,
          stdio: ["ignore", output, output],
          env: {
            ...withoutNodeOptions(),
            // Functions run with the first `node` on the path: the one that nodejs24.x is.
            PATH: [join(ROOT, "node_modules", ".bin"), process.env["PATH"]].join(delimiter),
            TMPDIR: temporary,
            ...env,
          },
        }),
      );
      return running;
    },
    async ready(signal) {
      while (!(await answers(`http://127.0.0.1:${port}${health}`))) await sleep(POLL_MS, undefined, { signal });
      signal.throwIfAborted();
      if (running?.pid !== undefined) assertForThisMachineAlone(name, running.pid);
    },
  };
}

async function answers(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
    (response) => response.ok,
    () => false,
  );
}

function withoutNodeOptions(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, ...environment } = process.env;
  return environment;
}
