/** MiniStack, an emulator of AWS that needs no Docker: it runs each Lambda as a process of this machine. */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Diagnostics } from "../host/diagnostics.ts";
import { type Child } from "../host/supervised-process.ts";

const ROOT = join(import.meta.dirname, "..");
const POLL_MS = 100;

/** @param folder where it keeps what it is told */
export function emulator(port: number, folder: string, diagnostics: Diagnostics): Child {
  return {
    name: "emulator",
    spawn() {
      const temporary = join(folder, "tmp");
      mkdirSync(temporary, { recursive: true });
      return diagnostics.withOutput("emulator", (output) =>
        spawn(join(ROOT, ".emulator", "venv", "bin", "ministack"), {
          cwd: folder,
          detached: true,
          stdio: ["ignore", output, output],
          env: {
            ...withoutNodeOptions(),
            // Functions run with the first `node` on the path: the one that nodejs24.x is.
            PATH: [join(ROOT, "node_modules", ".bin"), process.env["PATH"]].join(delimiter),
            TMPDIR: temporary,
            GATEWAY_PORT: String(port),
            BIND_HOST: "127.0.0.1",
          },
        }),
      );
    },
    async ready(signal) {
      while (!(await answers(port))) await sleep(POLL_MS, undefined, { signal });
      signal.throwIfAborted();
    },
  };
}

async function answers(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/_ministack/health`, { signal: AbortSignal.timeout(2_000) }).then(
    (response) => response.ok,
    () => false,
  );
}

function withoutNodeOptions(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, ...environment } = process.env;
  return environment;
}
