/**
 * `npm run bench:append-turns`: how many records are written for each commit when many processes of one service write
 * at the same time. These are counts, not times: they are the same on a machine that is busy with other things, as far
 * as it lets the processes run.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFileStore, LoggedRedis, openFileStore } from "log-replay";
import { spawnRedis } from "./spare-redis.ts";

const PROCESSES = [1, 2, 5, 10, 20, 50];
const WARM_UP = 20;
const COMMITS = 100;

const [role, url = "", folder = ""] = process.argv.slice(2);
if (role === "writer") await write();
else await measure();

async function measure(): Promise<void> {
  for (const count of PROCESSES) {
    const redis = await spawnRedis();
    const home = mkdtempSync(join(tmpdir(), "append-turns-"));
    const log = join(home, "log");
    try {
      await createFileStore(log);
      const writers = Array.from({ length: count }, () => fork(import.meta.filename, ["writer", redis.url, log]));
      await Promise.all(writers.map((writer) => once(writer, "message")));
      await tell(writers, WARM_UP);
      const before = linesIn(log);
      await tell(writers, COMMITS);
      const perCommit = (linesIn(log) - before) / (count * COMMITS);
      process.stdout.write(
        `${String(count).padStart(3)} processes: ${perCommit.toFixed(2)} records written for each commit\n`,
      );
      await Promise.all(
        writers.map(async (writer) => {
          const gone = once(writer, "exit");
          writer.kill();
          await gone;
        }),
      );
    } finally {
      await redis.stop();
      rmSync(home, { recursive: true });
    }
  }
}

/** Tells all of them at once, and resolves when each has made so many commits. */
async function tell(writers: readonly ChildProcess[], commits: number): Promise<void> {
  await Promise.all(
    writers.map(async (writer) => {
      const done = once(writer, "message");
      writer.send(commits);
      await done;
    }),
  );
}

/** Commits one after the other to a key of its own. */
async function write(): Promise<void> {
  const state = new LoggedRedis({ url, store: await openFileStore({ folder }), timeout: 60_000 });
  await state.ready({ timeout: 60_000 });
  const key = `writer:${process.pid}`;
  process.on("message", (commits: number) => {
    void (async () => {
      for (let i = 0; i < commits; i++)
        await state.occ.transact([key], (view) => ({ result: null, set: { [key]: (view.get<number>(key) ?? 0) + 1 } }));
      process.send?.("done");
    })();
  });
  process.on("disconnect", () => process.exit());
  process.send?.("ready");
}

function linesIn(log: string): number {
  const segments = readdirSync(log).filter((name) => name.endsWith(".jsonl"));
  return segments.reduce((sum, name) => sum + readFileSync(join(log, name), "utf8").split("\n").length - 1, 0);
}
