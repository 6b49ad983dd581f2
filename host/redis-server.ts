/** One Redis of the shop: on loopback, with a password, without persistence of its own (the log is the durable store). */
import { spawn } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Service } from "./configuration.ts";
import { type Diagnostics } from "./diagnostics.ts";
import { type Child } from "./supervised-process.ts";

const POLL_MS = 10;
const PROBE_TIMEOUT_MS = 1_000;

export interface RedisSettings {
  service: Service;
  binary: string;
  /** The same after a restart, so that the addresses that the functions hold stay right. */
  port: number;
  password: string;
  runDir: string;
}

/** What the three of them saved into before each had a name of its own. */
const COMMON_DUMP = "dump.rdb";

/** Its own: with a common name each would begin with what another one has saved. */
const dumpOf = (service: Service): string => `redis-${service}.rdb`;

/** It names the user: otherwise redis-cli, unlike the clients, sends an empty name and is refused. */
export function redisUrl({ port, password }: RedisSettings): string {
  return `redis://default:${password}@127.0.0.1:${port}`;
}

export function redisServer(settings: RedisSettings, diagnostics: Diagnostics): Child {
  const name = `redis-${settings.service}`;
  return {
    name,
    spawn() {
      removeDumps(settings);
      // Its configuration comes by stdin, because every user of the machine can read arguments.
      const child = diagnostics.withOutput(name, (output) =>
        spawn(settings.binary, ["-"], { cwd: settings.runDir, detached: true, stdio: ["pipe", output, output] }),
      );
      child.stdin?.on("error", () => undefined); // it died before it read: its exit event says so
      child.stdin?.end(configuration(settings));
      return child;
    },
    async ready(signal) {
      while (!(await answersPing(settings))) await sleep(POLL_MS, undefined, { signal });
      signal.throwIfAborted();
    },
  };
}

/**
 * A Redis begins with the dump that it finds, also where it saves nothing by itself: a SAVE, a SHUTDOWN SAVE and a replica that is
 * filled leave one. @throws Error where one stays, because a Redis of the shop begins empty
 */
function removeDumps({ service, runDir }: RedisSettings): void {
  for (const file of [dumpOf(service), COMMON_DUMP].map((name) => join(runDir, name)))
    // A folder that is read-only refuses to remove what is not there, too.
    if (existsSync(file)) rmSync(file, { force: true });
}

function configuration({ service, port, password }: RedisSettings): string {
  return [
    "bind 127.0.0.1",
    `port ${port}`,
    "protected-mode yes",
    `requirepass ${password}`,
    'save ""',
    `dbfilename ${dumpOf(service)}`,
    "appendonly no",
    // The guard of the state must be there exactly while the state is, so nothing may be evicted.
    "maxmemory-policy noeviction",
    "daemonize no",
    'pidfile ""',
    'logfile ""',
    "loglevel warning",
    "tcp-backlog 511",
    "maxclients 4096",
    "",
  ].join("\n");
}

/** Asks with the password, so an answer means that this server serves, and no other that has taken the port. */
async function answersPing({ port, password }: RedisSettings): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let said = "";
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, () => end(false));
    socket.once("error", () => end(false));
    socket.once("close", () => end(false));
    socket.once("connect", () => socket.write(`AUTH ${password}\r\nPING\r\n`));
    socket.on("data", (bytes) => {
      said += bytes.toString();
      if (said.startsWith("-")) end(false);
      if (said.includes("+PONG")) end(true);
    });
  });
}
