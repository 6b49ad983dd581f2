/** One Ctrl-C reaches a program twice where npm runs it, from the terminal and from npm: it asks for one orderly end. */
import { afterEach, expect, test } from "@jest/globals";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freeHttpPort } from "../host/test/support/shop.ts";
import { leftWith, Terminal } from "./support/terminal.ts";

const MINUTE = 60_000;
const endings: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
}, MINUTE);

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "ctrl-c-"));
  endings.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** All that the command starts has the folder in its environment. */
function inTerminal(command: string, folder: string, environment: Record<string, string>): Terminal {
  const terminal = new Terminal(command, { TMPDIR: folder, ...environment });
  endings.push(() => terminal.kill());
  return terminal;
}

test.each(["serve", "start"])(
  "npm run %s answers what is under way, and leaves nothing behind",
  async (script) => {
    const [folder, port] = [temporaryFolder(), await freeHttpPort()];
    const terminal = inTerminal(`npm run ${script}`, folder, {
      DATA_DIR: join(folder, "data"),
      HTTP_PORT: String(port),
    });
    await terminal.says("ready: ", MINUTE);
    const redis = Number(readFileSync(join(folder, "data", "run", "redis-payment.pid"), "utf8"));
    process.kill(redis, "SIGSTOP");
    const asked = fetch(`http://127.0.0.1:${port}/payment/create_user`, { method: "POST" });
    await sleep(300);
    terminal.ctrlC();
    await sleep(700);
    process.kill(redis, "SIGCONT");
    expect((await asked).status).toBe(200);
    expect(await terminal.ended).toBe(0);
    expect(await leftWith(folder)).toEqual([]);
  },
  2 * MINUTE,
);

type Reached = (terminal: Terminal, port: number) => Promise<void>;

const said =
  (words: string): Reached =>
  (terminal) =>
    terminal.says(words, MINUTE);
/** Some seconds into its first measurement. */
const measuring: Reached = async (_terminal, port) => {
  const isReady = async (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${port}/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await isReady())) await sleep(50);
  await sleep(2_000);
};

test.each<[string, string, Reached]>([
  ["npm run demo", "while its shop starts", said("They start now")],
  ["npm run demo", "in the middle of the story", said("A checkout that succeeds")],
  ["npm run bench -- --scenario distinct-orders", "while it measures", measuring],
])(
  "%s ends %s, and leaves nothing behind",
  async (command, _when, reached) => {
    const [folder, port] = [temporaryFolder(), await freeHttpPort()];
    const terminal = inTerminal(command, folder, { HTTP_PORT: String(port) });
    await reached(terminal, port);
    terminal.ctrlC();
    await terminal.ended;
    expect(await leftWith(folder)).toEqual([]);
    expect(terminal.said).not.toMatch(/\n\s+at /);
  },
  2 * MINUTE,
);
