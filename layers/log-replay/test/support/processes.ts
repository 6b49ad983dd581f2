import {
  fork,
  spawn,
  type ChildProcess,
  type SpawnOptionsWithStdioTuple,
  type StdioNull,
  type StdioPipe,
} from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

/** Runs a script of this folder in a process of its own until it ends. */
export async function run(
  script: string,
  args: readonly string[],
  { nodeArgs = [], shell = "" }: { readonly nodeArgs?: readonly string[]; readonly shell?: string } = {},
): Promise<Ended> {
  const command = [...nodeArgs, pathOf(script), ...args];
  const options: SpawnOptionsWithStdioTuple<StdioNull, StdioPipe, StdioPipe> = {
    env: environment(),
    stdio: ["ignore", "pipe", "pipe"],
  };
  // `shell` sets a limit that only the child shall have.
  const child =
    shell === ""
      ? spawn(process.execPath, command, options)
      : spawn("bash", ["-c", `${shell}; exec "$0" "$@"`, process.execPath, ...command], options);
  let output = "";
  child.stdout.on("data", (bytes: Buffer) => (output += bytes.toString()));
  child.stderr.on("data", (bytes: Buffer) => (output += bytes.toString()));
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { code, signal, output };
}

/** Starts a script of this folder that talks by messages. */
export function start(script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  return fork(pathOf(script), args, {
    env: { ...environment(), ...env },
    execArgv: [],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
}

/** SIGKILL; resolves once the process is gone. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

function pathOf(script: string): string {
  return fileURLToPath(new URL(script, import.meta.url));
}

/** Without jest's own options for Node. */
function environment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, ...others } = process.env;
  return others;
}
