/**
 * `node bench/cold-start.ts [updates] [keys]`: a log of many updates of few keys, written by the layer's own writer.
 * Tells how long a restore takes from all of it, then after compaction, and how long `redis-cli --pipe` takes for the
 * same SETs.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compact, createFileStore, openFileStore, stateAt, type LogStore } from "log-replay";
import { median } from "./load/figures.ts";
import { withRedis, restore } from "./replay.ts";

const [updates = 1_000_000, keys = 100_000] = process.argv.slice(2).map(Number);
const ROUNDS = 3;
/** Updates in one frame, as a busy group commit makes them. */
const FRAME = 100;

const folder = mkdtempSync(join(tmpdir(), "cold-start-"));
try {
  const log = join(folder, "log");
  await createFileStore(log);
  const store = await openFileStore({ folder: log, durability: "os" });
  await timed(`writing ${updates} updates of ${keys} keys`, () => write(store));
  const before = await medianOf(() => restore(log));
  print("restore from all of it", `${before.toFixed(2)} s`);
  await timed("compaction", () => compact(store));
  const commands = join(folder, "commands");
  writeFileSync(
    commands,
    [...(await stateAt(store)).images].map(([key, { image }]) => `SET ${key} ${JSON.stringify(image)}\r\n`).join(""),
  );
  const pairs = [];
  for (let round = 0; round < ROUNDS; round++) pairs.push([await restore(log), await pipe(commands)] as const);
  const [after, piped] = [median(pairs.map(([ours]) => ours)), median(pairs.map(([, theirs]) => theirs))];
  print("restore after compaction", `${after.toFixed(2)} s, ${(before / after).toFixed(0)} times faster`);
  print(
    "redis-cli --pipe with the same SETs",
    `${piped.toFixed(2)} s: the restore takes ${(after / piped).toFixed(2)} times as long`,
  );
} finally {
  rmSync(folder, { recursive: true });
}

/** Every key once, as far as there are enough updates, then keys at random. */
async function write(store: LogStore): Promise<void> {
  const { encodeFrame } = await import("../layers/log-replay/src/format/frame.ts");
  const { encodeBody, encodeNotes } = await import("../layers/log-replay/src/format/record.ts");
  await store.claim(1);
  await store.writeBegin(1, { parent: 0, cut: 0 });
  const writer = store.createSegment(1);
  for (let n = 1; n <= updates; n += FRAME) {
    const entries = Array.from({ length: Math.min(FRAME, updates - n + 1) }, (_, i) => {
      const key = n + i <= keys ? n + i : 1 + Math.floor(Math.random() * keys);
      const image = JSON.stringify({ stock: n + i, price: 5, generation: "9f3c51d0a4be" });
      return {
        epoch: 1,
        n: n + i,
        body: encodeBody(
          new Date().toISOString(),
          `t-${n + i}`,
          encodeNotes({ op: "set" }),
          new Map([[`item:${key}`, image]]),
        ),
      };
    });
    await writer.append(encodeFrame(entries));
    if (writer.size > 16 * 1024 * 1024) await writer.roll();
  }
  await writer.close();
}

/** Seconds that redis-cli takes. */
function pipe(commands: string): Promise<number> {
  return withRedis(async (url) => {
    const started = performance.now();
    const cli = spawn("sh", ["-c", `redis-cli -u ${url} --pipe < ${commands}`], { stdio: "ignore" });
    const [code] = (await once(cli, "close")) as [number];
    if (code !== 0) throw new Error(`redis-cli ended with ${code}`);
    const seconds = (performance.now() - started) / 1_000;
    const size = spawnSync("redis-cli", ["-u", url, "dbsize"]).stdout.toString().trim();
    if (size !== String(Math.min(keys, updates))) throw new Error(`${size} keys were set`);
    return seconds;
  });
}

async function timed(what: string, work: () => Promise<unknown>): Promise<void> {
  const started = performance.now();
  await work();
  print(what, `${((performance.now() - started) / 1_000).toFixed(2)} s`);
}

async function medianOf(measure: () => Promise<number>): Promise<number> {
  const all: number[] = [];
  for (let round = 0; round < (updates > 2_000_000 ? 1 : ROUNDS); round++) all.push(await measure());
  return median(all);
}

function print(what: string, figure: string): void {
  process.stdout.write(`${what.padEnd(46)} ${figure}\n`);
}
