/** Many processes of one service that write at the same time, as in Lambda. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { Connection } from "redis-occ";
import { AppendTurns } from "../../src/commit/append-turns.ts";
import { EpochWriter } from "../../src/commit/epoch-writer.ts";
import { openFileStore, type LoggedRedis } from "../../src/index.ts";
import { Worker } from "../support/crew.ts";
import { add, records, replayed, segmentsIn, stage, stateOf, until } from "../support/stage.ts";
import { door } from "../support/tampered-store.ts";

const on = stage();
const PROCESSES = 20;

async function crew(folder: string, count = PROCESSES): Promise<Worker[]> {
  const workers = Array.from({ length: count }, () => new Worker(on.redis.url, folder));
  for (const worker of workers) on.after(() => worker.kill());
  await until(() => workers.every(({ events }) => events.length > 0), 60_000);
  await Promise.all(workers.map((worker, i) => worker.order({ id: -1 - i, op: "ready", keys: [], timeout: 60_000 })));
  return workers;
}

/** Each worker makes that many commits one after the other, on a key of its own and one of all. @returns the ids that were answered */
async function commits(workers: readonly Worker[], each: number, from = 0, timeout = 30_000): Promise<number[]> {
  const answered: number[] = [];
  await Promise.all(
    workers.map(async (worker, i) => {
      for (let k = 0; k < each; k++) {
        const id = from + i * 1_000 + k;
        const answer = await worker.order({ id, op: "add", keys: [`own:${i}`], timeout });
        if (answer !== null && "result" in answer) answered.push(id);
      }
    }),
  );
  return answered;
}

/** Records as they stand in the segments; those that are in several of them count each time. */
async function linesIn(folder: string): Promise<number> {
  const texts = await Promise.all((await segmentsIn(folder)).map((name) => readFile(join(folder, name), "utf8")));
  return texts.reduce((sum, text) => sum + text.split("\n").length - 1, 0);
}

async function expectAll(folder: string, answered: readonly number[]): Promise<void> {
  const live = await stateOf(on.outside);
  const there = new Set(Object.values(live).flatMap((text) => JSON.parse(text as string) as number[]));
  expect(answered.filter((id) => !there.has(id))).toEqual([]);
  expect(await replayed(on, folder)).toEqual(live);
}

test(`${PROCESSES} processes at once: each commit is written about once, not once by each process that sees it`, async () => {
  const { folder } = await on.store();
  const workers = await crew(folder);
  // Until a process has noticed that it is crowded it appends all that it sees.
  const answered = await commits(workers, 10, 100_000);
  const before = await linesIn(folder);
  answered.push(...(await commits(workers, 40)));
  expect(answered).toHaveLength(PROCESSES * 50);
  expect((await records(folder)).length).toBe(answered.length);
  expect(((await linesIn(folder)) - before) / (PROCESSES * 40)).toBeLessThan(2);
  await expectAll(folder, answered);
}, 120_000);

test("processes that die or freeze while it is their turn keep nobody from going on, and nothing that was answered is lost", async () => {
  const { folder } = await on.store();
  const workers = await crew(folder);
  const frozen = workers.slice(0, 3);
  const doomed = workers.slice(3, 6);
  const going = commits(workers, 40);
  const others = commits(workers.slice(6), 40, 100_000);
  await until(
    async () => (await on.outside.xlen("log:tail")) > 0 && (await on.outside.exists("log:turn")) === 1,
    60_000,
  );
  for (const worker of frozen) worker.pause();
  await Promise.all(doomed.map((worker) => worker.kill()));
  const answered = await others;
  expect(answered).toHaveLength((PROCESSES - 6) * 40);
  for (const worker of frozen) worker.resume();
  answered.push(...(await going));
  await expectAll(folder, answered);
}, 120_000);

test("a Redis that is emptied while processes wait for another's append: what was answered is there, and is there once", async () => {
  const { folder } = await on.store();
  const workers = await crew(folder);
  const going = commits(workers, 40, 0, 60_000);
  for (let times = 0; times < 3; times++) {
    await until(async () => (await on.outside.exists("log:turn")) === 1, 60_000);
    await on.outside.flushall();
    await until(async () => (await on.outside.exists("log:guard")) === 1, 60_000);
  }
  const answered = await going;
  expect(answered).toHaveLength(PROCESSES * 40);
  await expectAll(folder, answered);
  const ids = Object.values(await stateOf(on.outside)).flatMap((text) => JSON.parse(text as string) as number[]);
  expect(ids).toHaveLength(new Set(ids).size);
}, 120_000);

test("a process that is alone asks for no turn", async () => {
  const { folder } = await on.store();
  const state = on.open({ store: await openFileStore({ folder }) });
  await state.ready();
  await on.outside.config("RESETSTAT");
  for (let i = 0; i < 50; i++)
    await state.occ.transact(["k"], (view) => ({ result: null, set: { k: (view.get<number>("k") ?? 0) + 1 } }));
  const commands = await on.outside.info("commandstats");
  // The marker of a lost EXEC is the only `set` of a commit. A turn would be another one, and it ends by `del`.
  expect(/cmdstat_set:calls=(\d+)/.exec(commands)?.[1]).toBe("50");
  expect(commands).not.toMatch(/cmdstat_del:/);
});

/** As many others as make it worth to take turns. */
const OTHERS = ["a", "b", "c", "d"].map((name) => ({ epoch: 1, n: 1, body: `"at":"","tx":"${name}-1","set":{}` }));

/** An epoch with one commit, and a writer in it. */
async function begun(): Promise<{ state: LoggedRedis; guard: string; writer: EpochWriter }> {
  const store = await on.store();
  const state = on.open({ store });
  await state.occ.transact(["n"], add("n"));
  const guard = (await on.outside.get("log:guard")) ?? "";
  const writer = new EpochWriter(store, 1, { parent: 0, cut: 0 }, undefined);
  on.after(() => writer.close());
  return { state, guard, writer };
}

test("a reply that is late, while the process has seen later commits over another connection, is no state that went back", async () => {
  const { state, guard, writer } = await begun();
  const stop = door();
  const turns = new AppendTurns(writer, async () => {
    const connection = await Connection.open({ url: on.redis.url, roundTripTimeout: 2_000 });
    on.after(() => connection.close());
    return new Proxy(connection, {
      get: (target, name) => {
        if (name !== "transaction") return Reflect.get(target, name, target) as unknown;
        return async (commands: Parameters<Connection["transaction"]>[0]) => {
          const replies = await target.transaction(commands);
          await stop.reach();
          return replies;
        };
      },
    });
  });
  const appended = turns.append([], 1, { others: OTHERS, guard });
  await stop.reached;
  await state.occ.transact(["n"], add("n"));
  writer.sees(2);
  stop.open();
  await appended;
  expect(writer.over).toBe(false);
});

test("a connection that opens only after the epoch was left is closed", async () => {
  const { guard, writer } = await begun();
  const opening = door();
  const connection = await Connection.open({ url: on.redis.url, roundTripTimeout: 2_000 });
  on.after(() => connection.close());
  const turns = new AppendTurns(writer, async () => {
    await opening.reach();
    return connection;
  });
  const appended = turns.append([], 1, { others: OTHERS, guard });
  await opening.reached;
  turns.close();
  opening.open();
  await appended;
  await until(() => connection.broken);
});
