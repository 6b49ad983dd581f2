/** Every command of `npx log-replay`, on logs in folders that real writers have made. */
import { cp, rename, truncate, writeFile } from "node:fs/promises";
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";
import { compact, openFileStore, readHistory, type LogStore } from "../../src/index.ts";
import { append, begun, entry } from "../support/logs.ts";
import { add, stage, until, type Stage } from "../support/stage.ts";
import { dropCommit, flipBit, oneWriter, segmentWith, twoEpochs, verified } from "../tools/support.ts";
import { cli, cliAnswered, json, launched } from "./support.ts";

const on = stage();
const MAIN = join(import.meta.dirname, "..", "..", "src", "cli", "main.ts");

const numbers = (lines: readonly string[]): unknown[] => json(lines).map(({ n }) => n);

async function copyOf(folder: string, where: Stage = on): Promise<string> {
  const copy = join(await where.folder(), "log");
  await cp(folder, copy, { recursive: true });
  return copy;
}

test("show: the history in commit order, chosen by key, operation and time", async () => {
  const { store } = await twoEpochs(on);
  const { folder } = store;
  const all = await cli(["show", folder, "--json"]);
  expect(all).toMatchObject({ code: 0, stderr: "" });
  expect(numbers(all.lines)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(json(all.lines)[5]).toMatchObject({
    where: folder,
    epoch: 2,
    n: 6,
    op: "swap",
    saga: "s1",
    set: { m: "x", n: null },
  });
  expect(json(all.lines)[0]).not.toHaveProperty("crc");
  expect(numbers((await cli(["show", folder, "--json", "--key", "m*"])).lines)).toEqual([6]);
  expect(numbers((await cli(["show", folder, "--json", "--key", "m*", "--op", "count"])).lines)).toEqual([]);
  // The name of an operation, and not a text that stands elsewhere in the record.
  expect(numbers((await cli(["show", folder, "--json", "--op", "s1"])).lines)).toEqual([]);
  expect(numbers((await cli(["show", folder, "--json", "--op", "swap"])).lines)).toEqual([6]);
  expect(numbers((await cli(["show", folder, "--json", "--since", "2", "--until", "4"])).lines)).toEqual([2, 3, 4]);
  expect(numbers((await cli(["show", folder, "--json", "--op=count", "--last", "2"])).lines)).toEqual([4, 5]);
  expect(numbers((await cli(["show", folder, "--json", "--until", "2020-01-01"])).lines)).toEqual([]);
  const [first, , , , , last] = (await cli(["show", folder])).lines;
  // The time that it prints is one that the options take: in UTC, wherever this machine is.
  const since = first?.slice(0, 23) ?? "";
  const again = await cli(["show", folder, "--json", "--until", since], { TZ: "Asia/Tokyo" });
  expect(numbers(again.lines)).toContain(1);
  expect(json(again.lines).at(-1)).toMatchObject({ at: `${since.replace(" ", "T")}Z` });
  expect(first).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} {6}1:1 {2}count {10}n 1$/);
  expect(last).toMatch(/ 2:6 {2}swap +saga=s1 {2}m "x" {2}n deleted$/);
});

test("show of several logs: one time line, each line with its log", async () => {
  const [one, two] = [await on.store(), await on.store()];
  for (const [i, store] of [one, two, one].entries()) {
    await on.outside.flushall();
    await on.open({ store }).occ.transact(["n"], add("n"), { meta: { op: `o${i}` } });
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const { lines } = await cli(["show", one.folder, two.folder, "--json"]);
  expect(json(lines).map(({ where, op }) => [where, op])).toEqual([
    [one.folder, "o0"],
    [two.folder, "o1"],
    [one.folder, "o2"],
  ]);
  expect((await cli(["show", one.folder, two.folder])).lines[1]).toContain(`  ${two.folder}  `);
  expect(await cli(["show", one.folder, two.folder, "--since", "2"])).toMatchObject({
    code: 2,
    stderr: "error: commits are numbered in each log by itself: name one log, or give a time\n",
  });
});

test("follow: what is appended while it runs, over a new epoch, until it is asked to end", async () => {
  const store = await on.store();
  const state = on.open({ store });
  for (let i = 0; i < 3; i++) await state.occ.transact(["n"], add("n"));
  const { child, said, ended } = launched(["follow", store.folder, "--last", "1", "--json"]);
  const seen = (): unknown[] => json(said.stdout.split("\n").filter(Boolean)).map(({ n, began }) => n ?? { began });
  await until(() => seen().length === 1, 20_000);
  await state.occ.transact(["n"], add("n"));
  await until(() => seen().length === 2);
  await on.outside.flushall();
  await state.occ.transact(["n"], add("n"));
  await until(() => seen().length === 4);
  expect(seen()).toEqual([3, 4, { began: 2 }, 5]);
  child.kill("SIGTERM");
  expect(await ended).toBe(0);
  expect(said.stderr).toBe("");
});

test("verify: sound, or every problem with file and line, and exit code 1", async () => {
  const { store } = await twoEpochs(on);
  const sound = await cli(["verify", store.folder]);
  expect(sound).toMatchObject({ code: 0, stderr: "", stdout: `${store.folder}  sound: 6 commits in 2 epochs\n` });
  const damaged = await copyOf(store.folder);
  const { name, line } = await flipBit(damaged, 2);
  // All are looked at, whatever is wrong with the first one.
  const { code, stdout } = await cli(["verify", damaged, store.folder]);
  expect(code).toBe(1);
  expect(stdout).toContain(`${damaged}  damage  ${name}:${line}: a bad checksum`);
  expect(stdout).toMatch(/ {2}\d problems?: \d commits? in 2 epochs\n/);
  expect(stdout).toContain("sound");
  const report = await cli(["verify", damaged, "--json"]);
  expect(report.code).toBe(1);
  expect(json(report.lines)[0]).toMatchObject({ where: damaged, kind: "damage", file: name, line });
  expect(json(report.lines).at(-1)).toMatchObject({ where: damaged, kind: "summary", epochs: 2 });
});

test("verify and repair: what is wrong in the same way in many lines of a file is one line, for programs it is each", async () => {
  const store = await oneWriter(on);
  const { path, name, lines } = await segmentWith(store.folder, 6);
  await writeFile(path, lines.map((line) => `${line}\r\n`).join(""));
  const said = `${name}:1 and 2 more lines: a record that is whole but for what an editor put around it`;
  const { lines: told, code } = await cli(["verify", store.folder]);
  expect(code).toBe(1);
  expect(told.filter((line) => line.includes(`damage  ${name}`))).toEqual([
    expect.stringContaining(`${store.folder}  damage  ${said}`),
  ]);
  expect(told.at(-1)).toContain("3 problems: ");
  const { lines: planned } = await cli(["repair", store.folder]);
  expect(planned.filter((line) => line.startsWith(name))).toEqual([expect.stringContaining(said)]);
  const report = json((await cli(["verify", store.folder, "--json"])).lines);
  const each = report.filter(({ kind, file }) => kind === "damage" && file === name);
  expect(each.map(({ line }) => line)).toEqual([1, 2, 3]);
});

test("verify: holes one after the other are one line, with the first of them", async () => {
  const store = await on.store();
  await begun(store, 1);
  await append(store, 1, ...[2, 4, 6].map((n) => [entry(1, n, { k: n })]));
  const { code, lines } = await cli(["verify", store.folder]);
  expect([code, lines.length]).toEqual([1, 2]);
  expect(lines[0]).toContain("damage  epoch 1 and 2 more holes: commit 1 is missing, and the log goes on to commit 2");
  expect(lines[1]).toContain("3 problems: 3 commits");
});

test("verify: what a crash leaves at an end is a note, and no problem", async () => {
  const store = await oneWriter(on);
  const { path, lines } = await segmentWith(store.folder, 6);
  await truncate(path, lines.join("\n").length - 5);
  const { code, stdout } = await cli(["verify", store.folder]);
  expect(stdout).toContain("note");
  expect(stdout).toContain("the last frame is torn");
  expect(code).toBe(0);
});

test("verify and repair name a segment that was renamed, before they say what is missing without it", async () => {
  const store = await oneWriter(on);
  const { path, name } = await segmentWith(store.folder, 3);
  await rename(path, `${path}.bak`);
  const told = await cli(["verify", store.folder]);
  expect(told.code).toBe(1);
  expect(told.lines[0]).toMatch(new RegExp(`note  ${name}\\.bak: .*rename it back before a repair`));
  expect(told.lines[1]).toContain("commits 1 to 3 are missing");
  const plan = await cli(["repair", store.folder]);
  expect(plan.stdout).toMatch(new RegExp(`note  ${name}\\.bak: .*rename it back before a repair`));
  await rename(`${path}.bak`, path);
  await writeFile(join(store.folder, "notes.txt"), "");
  expect(await cli(["verify", store.folder])).toMatchObject({ code: 0 });
  expect(await cli(["repair", store.folder])).toMatchObject({
    code: 0,
    stdout: `note  notes.txt: a file of no known kind, which is not read\nnothing is to be repaired in ${store.folder}\n`,
  });
});

test("repair: says what it would do, does it when told to, and the log is sound again", async () => {
  const store = await oneWriter(on);
  const { folder } = store;
  expect(await cli(["repair", folder])).toMatchObject({ code: 0, stdout: `nothing is to be repaired in ${folder}\n` });
  const { name, line } = await flipBit(folder, 5);
  const before = readdirSync(folder);
  const asked = await cli(["repair", folder]);
  expect(asked).toMatchObject({ code: 2, stderr: "error: nobody is here to be asked: pass --yes to do it\n" });
  expect(asked.stdout).toContain(`${name}:${line}: a bad checksum`);
  expect(asked.stdout).toContain(
    "end the history behind commit 2:4, in a new epoch: 2 commits after it will not count",
  );
  expect(readdirSync(folder)).toEqual(before);
  const done = await cli(["repair", folder, "--yes"]);
  expect(done).toMatchObject({ code: 0, stderr: "" });
  expect(done.stdout).toMatch(/kept: .*damaged/);
  expect(await verified(store)).toMatchObject({ damages: [], summary: { records: 4 } });
});

test("repair and restore ask, and do nothing without a yes: exit code 1", async () => {
  const store = await oneWriter(on);
  const { folder } = store;
  await flipBit(folder, 5);
  const before = readdirSync(folder);
  for (const answer of ["n", "", "yesterday", "nay"]) {
    for (const args of [
      ["repair", folder],
      ["restore", folder, "--at", "2"],
    ]) {
      const { code, stdout } = await cliAnswered(answer, args);
      expect([code, stdout]).toEqual([1, expect.stringMatching(/\nNothing was changed\.\n$/) as unknown]);
    }
  }
  expect(readdirSync(folder)).toEqual(before);
  expect((await verified(store)).damages).not.toEqual([]);

  const repaired = await cliAnswered("Y", ["repair", folder]);
  expect(repaired).toMatchObject({ code: 0, stdout: expect.stringContaining("Repaired") as unknown });
  expect((await verified(store)).damages).toEqual([]);
  expect((await cliAnswered("yes", ["restore", folder, "--at", "2"])).code).toBe(0);
  expect((await cli(["state", folder])).stdout).toBe("n  2\n");
});

test("repair: what nobody can repair is said, and nothing is done", async () => {
  const store = await oneWriter(on);
  await compact(store);
  const [archived = ""] = readdirSync(join(store.folder, "archive"));
  await dropCommit(join(store.folder, "archive"), 2);
  const { code, stdout } = await cli(["repair", store.folder, "--yes"]);
  expect(archived).not.toBe("");
  expect([code, stdout]).toEqual([1, expect.stringContaining("Nothing of that can be repaired") as unknown]);
});

test("state: now, and at any commit or time, from the log alone", async () => {
  const { store } = await twoEpochs(on);
  const state = async (...args: string[]) => cli(["state", store.folder, ...args]);
  expect(await state()).toMatchObject({
    code: 0,
    stdout: 'm  "x"\n',
    stderr: `1 key of ${store.folder} after commit 2:6\n`,
  });
  expect((await state("--at", "5", "--json")).lines).toEqual(['{"key":"n","value":23}']);
  expect((await state("--at", "1:3")).stdout).toBe("n  3\n");
  expect((await state("--key", "n")).stdout).toBe("");
  expect((await state("--at", "2020-01-01")).stderr).toContain("before the first commit");
  expect(await state("--at", "7")).toMatchObject({
    code: 2,
    stderr: "error: there is no commit 7: the history ends with 2:6\n",
  });
});

test("diff: equal, or each key in which Redis differs, and exit code 1", async () => {
  const { store } = await twoEpochs(on);
  const diff = async (...args: string[]) => cli(["diff", store.folder, "--redis", on.redis.url, ...args]);
  expect(await diff()).toMatchObject({ code: 0, stderr: "", stdout: `${store.folder}  equal: 1 key\n` });
  await on.outside.set("m", '"y"');
  expect(await diff()).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('log    "x"\n  Redis  "y"\n') as unknown,
  });
  const [difference] = json((await diff("--json")).lines);
  expect(difference).toEqual({ where: store.folder, key: "m", log: '"x"', redis: '"y"' });
  await on.outside.flushall();
  expect(await diff()).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("Redis holds no state of this log now") as unknown,
  });
  expect(await cli(["diff", store.folder, "--redis", "redis://127.0.0.1:1"])).toMatchObject({
    code: 2,
    stderr: `error: the Redis of ${store.folder} (--redis): connect ECONNREFUSED 127.0.0.1:1\n`,
  });
});

test("restore: the log is turned back, and a program at work on it restores itself, with its index", async () => {
  const store = await on.store();
  const state = on.open({ store, indexes: ["n"] });
  for (const key of ["n1", "n2", "n3"]) await state.occ.transact([key], add(key));
  const asked = await cli(["restore", store.folder, "--at", "2"]);
  expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining("pass --yes") as unknown });
  expect(await state.occ.read(["n3"])).toEqual([1]);
  const { code, stdout, stderr } = await cli(["restore", store.folder, "--at", "2", "--yes"]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(
    / to the state after commit 1:2 of \S+Z, in the log alone, from which its program restores itself\n/,
  );
  expect(stdout).toContain(`${store.folder}  restored: epoch 2 sets 1 key to what they were`);
  await state.occ.transact(["n1"], add("n1"));
  expect(await state.occ.read(["n1", "n2", "n3"])).toEqual([2, 1, null]);
  expect(await state.keys("n")).toEqual(["n2", "n1"]);
  expect(await verified(store)).toMatchObject({ damages: [] });
  expect(await cli(["diff", store.folder, "--redis", on.redis.url])).toMatchObject({ code: 0 });
  // Nothing was unwritten: it can itself be turned back.
  expect((await cli(["restore", store.folder, "--at", "3", "--yes"])).code).toBe(0);
  expect(await state.occ.read(["n1", "n2", "n3"])).toEqual([1, 1, 1]);
});

test("restore: a commit is one log's, and several logs go back to a time", async () => {
  const [one, two] = [await on.store(), await on.store()];
  const moments: string[] = [];
  for (const store of [one, two]) {
    await on.outside.flushall();
    for (let i = 0; i < 2; i++) {
      await on.open({ store }).occ.transact(["n"], add("n"));
      await new Promise((resolve) => setTimeout(resolve, 2));
      moments.push(new Date().toISOString());
    }
  }
  expect(await cli(["restore", one.folder, two.folder, "--at", "1", "--yes"])).toMatchObject({
    code: 2,
    stdout: "",
    stderr: "error: commits are numbered in each log by itself: name one log, or give a time\n",
  });
  const { code, stdout } = await cli(["restore", one.folder, two.folder, "--at", moments[2] ?? "", "--yes"]);
  expect(code).toBe(0);
  expect(stdout).toContain(`${one.folder}  to the state after commit 1:2 `);
  expect(stdout).toContain(`${two.folder}  to the state after commit 1:1 `);
  expect((await cli(["state", one.folder])).stdout).toBe("n  2\n");
  expect((await cli(["state", two.folder])).stdout).toBe("n  1\n");
});

test("compact: the logs are folded, and read as before", async () => {
  const { store } = await twoEpochs(on);
  const other = await copyOf(store.folder);
  const before = (await cli(["show", store.folder, "--json"])).lines;
  const { code, lines } = await cli(["compact", store.folder, other]);
  expect(code).toBe(0);
  expect(lines).toHaveLength(2);
  for (const [i, folder] of [store.folder, other].entries()) {
    expect(lines[i]).toMatch(/compacted: \d commits? folded, \d segments? archived; the snapshot is of commit \d:\d$/);
    expect(lines[i]?.startsWith(folder)).toBe(true);
    expect(await (await openFileStore({ folder })).snapshot()).not.toBeNull();
  }
  expect((await cli(["show", store.folder, "--json"])).lines).toEqual(before);
});

test("compact: Ctrl-C or SIGTERM breaks it off, and the next one does what is left", async () => {
  const store = await on.store();
  await begun(store, 1);
  await append(store, 1, ...Array.from({ length: 100 }, (_, i) => [entry(1, i + 1, { k: "x".repeat(100_000) })]));
  for (const signal of ["SIGINT", "SIGTERM"]) {
    // At a terminal it tells how far it is; when it does so first comes the signal.
    const told = `let n=0;process.stderr.isTTY=true;process.stderr.write=()=>n++||process.kill(process.pid,"${signal}")`;
    const { code, stdout } = await cli(["compact", store.folder], {
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(told)}`,
    });
    expect([code, stdout]).toEqual([2, ""]);
    expect(await store.snapshot()).toBeNull();
  }
  expect(await cli(["compact", store.folder])).toMatchObject({ code: 0, stderr: "" });
  expect(await store.snapshot()).toMatchObject({ n: 100 });
});

test("backup: a log like its source under a name that is new, verified; its damage is told", async () => {
  const { store } = await twoEpochs(on);
  const folder = join(await on.folder(), "deep", "copy");
  const { code, stdout, stderr } = await cli(["backup", store.folder, folder]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain(`${store.folder}  copied: 6 commits, the last one 2:6\n${store.folder}  sound: 6 commits`);
  const copy = await openFileStore({ folder });
  expect(copy.id).toBe(store.id);
  const history = async (log: LogStore): Promise<unknown[]> => {
    const records = [];
    for await (const { crc: _crc, frame: _frame, ...record } of readHistory(log)) records.push(record);
    return records;
  };
  expect(await history(copy)).toEqual(await history(store));
  expect(await cli(["backup", store.folder, folder])).toMatchObject({
    code: 2,
    stderr: `error: ${folder} is there already: name one that is not\n`,
  });

  const damaged = await copyOf(folder);
  const { name, line } = await flipBit(damaged, 2);
  const other = join(folder, "..", "other");
  expect(await cli(["backup", damaged, other])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`${name}:${line}`) as unknown,
  });
  expect(existsSync(other)).toBe(false);
  expect(readdirSync(join(folder, ".."))).toEqual(["copy"]);
});

test("backup: where there is no room for the copy, nothing of it stays, and the folder is named that was asked for", async () => {
  const store = await on.store();
  await begun(store, 1);
  await append(store, 1, [entry(1, 1, { k: "x".repeat(2_000) })]);
  const parent = await on.folder();
  const folder = join(parent, "deep", "copy");
  // No file may have more than 1 kB here: the first segment does not fit.
  const command = `ulimit -f 1; trap '' XFSZ; exec ${process.execPath} ${MAIN} backup ${store.folder} ${folder}`;
  const failed = promisify(execFile)("bash", ["--norc", "-c", command], { env: { PATH: process.env["PATH"] } });
  await expect(failed).rejects.toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringMatching(
      new RegExp(`^error: copying into ${folder}: appending to ${folder}/segment-[^ ]+: EFBIG: [^\n]*\n$`),
    ) as unknown,
  });
  expect(readdirSync(parent)).toEqual([]);
});

test("backup: where only the past is damaged, the copy has the state and says what it lacks, with exit code 1", async () => {
  const store = await oneWriter(on);
  await compact(store);
  await dropCommit(join(store.folder, "archive"), 2);
  const folder = join(await on.folder(), "copy");
  const { code, stdout } = await cli(["backup", store.folder, folder]);
  expect(code).toBe(1);
  expect(stdout).toContain("not all of its past is there to be copied");
  expect(stdout).toMatch(/ {2}damage {2}/);
  expect((await cli(["state", folder])).stdout).toBe((await cli(["state", store.folder])).stdout);
});

test("adopt: what a Redis holds is the first state of a new log; what it cannot take is said in a line", async () => {
  await on.outside.mset({ a: "1", b: '{"x":[true]}' });
  const folder = join(await on.folder(), "log");
  expect(await cli(["adopt", folder, "--redis", on.redis.url])).toMatchObject({
    code: 0,
    stderr: "",
    stdout: `${folder}  adopted: 2 keys\n`,
  });
  expect((await cli(["state", folder])).stdout).toBe('a  1\nb  {"x":[true]}\n');
  const state = on.open({ store: await openFileStore({ folder }) });
  expect(await state.occ.read(["a"])).toEqual([1]);
  const other = join(await on.folder(), "log");
  expect(await cli(["adopt", other, "--redis", "redis://127.0.0.1:1"])).toMatchObject({
    code: 2,
    stderr: `error: the Redis of ${other} (--redis): connect ECONNREFUSED 127.0.0.1:1\n`,
  });
  expect(await cli(["adopt", folder, "--redis", on.redis.url])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^error: log .* has a history already.*\n$/) as unknown,
  });
});
