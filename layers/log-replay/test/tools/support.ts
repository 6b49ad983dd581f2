import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LoggedRedis, LogStore } from "../../src/index.ts";
import { verify, type Finding, type Law, type Verified } from "../../src/tools/index.ts";
import { add, segmentsIn, until, type Stage } from "../support/stage.ts";

/** A log with two epochs and two writers: commits 1 to 6, the fourth and later ones after Redis was lost. */
export async function twoEpochs(
  on: Stage,
): Promise<{ store: LogStore & { folder: string }; first: LoggedRedis; second: LoggedRedis }> {
  const store = await on.store();
  const first = on.open({ store });
  const second = on.open({ store: await on.store(store.folder) });
  for (const state of [first, second, first]) await state.occ.transact(["n"], add("n"), { meta: { op: "count" } });
  await on.outside.flushall();
  for (const state of [second, first]) await state.occ.transact(["n"], add("n", 10), { meta: { op: "count" } });
  await first.occ.transact(["m"], () => ({ result: null, set: { m: "x", n: null } }), {
    meta: { op: "swap", saga: "s1" },
  });
  return { store, first, second };
}

/** The name of an epoch's claim. */
export const claimOf = (epoch: number): string => `claim-${String(epoch).padStart(8, "0")}`;

/**
 * A log whose first commit is in epoch 1, with 20 idle epochs after it, which the restore of epoch 22 has tidied away: the claims
 * of 21 and 22 are left, and the begins of 1 and 22. What worked in epoch 1 is open still, on another Redis, and has not noticed.
 */
export async function tidied(on: Stage): Promise<{ folder: string; former: LoggedRedis; state: LoggedRedis }> {
  const { folder } = await on.store();
  const former = on.open({ url: (await on.ownRedis()).url, store: await on.store(folder) });
  await former.occ.transact(["n"], add("n"));
  for (let epoch = 2; epoch <= 21; epoch++) {
    await writeFile(join(folder, claimOf(epoch)), "");
    await writeFile(join(folder, `begin-${String(epoch).padStart(8, "0")}.json`), `{"parent":1,"cut":1}\n`);
  }
  const state = on.open({ store: await on.store(folder) });
  await state.occ.transact(["n"], add("n", 100));
  await until(async () => (await readdir(folder)).filter((name) => name.startsWith("claim-")).length === 2);
  return { folder, former, state };
}

export async function verified(
  store: LogStore,
  law?: Law,
): Promise<{ findings: Finding[]; damages: string[]; summary: Verified }> {
  const findings: Finding[] = [];
  const reading = verify(store, law ? { law } : {});
  for (;;) {
    const { done, value } = await reading.next();
    if (done)
      return {
        findings,
        summary: value,
        damages: findings
          .filter(({ kind }) => kind === "damage")
          .map(({ file, line, what }) => `${file}:${line}: ${what}`),
      };
    findings.push(value);
  }
}

/** The segment that holds commit `n` first, and its lines. */
export async function segmentWith(
  folder: string,
  n: number,
): Promise<{ path: string; name: string; lines: string[]; line: number }> {
  for (const name of (await segmentsIn(folder)).sort()) {
    const lines = (await readFile(join(folder, name), "utf8")).trimEnd().split("\n");
    const index = lines.findIndex((line) => line.includes(`"n":${n},`));
    if (index >= 0) return { path: join(folder, name), name, lines, line: index + 1 };
  }
  throw new Error(`no segment has commit ${n}`);
}

/** Flips one bit in the middle of the line of commit `n`, in one segment. */
export async function flipBit(folder: string, n: number): Promise<{ name: string; line: number }> {
  const { path, name, lines, line } = await segmentWith(folder, n);
  const before = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  const bytes = await readFile(path);
  const at = before + (lines[line - 1]?.indexOf('"set"') ?? 0) + 8;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(path, bytes);
  return { name, line };
}

/** Takes the line of commit `n` out of its segment; with one writer that waits for each answer it is a frame of its own. */
export async function dropCommit(folder: string, n: number): Promise<void> {
  const { path, lines, line } = await segmentWith(folder, n);
  await writeFile(
    path,
    lines
      .filter((_, i) => i !== line - 1)
      .map((text) => `${text}\n`)
      .join(""),
  );
}

/** As `twoEpochs`, by one writer: each commit is in one segment only, in a frame of its own. */
export async function oneWriter(on: Stage): Promise<LogStore & { folder: string }> {
  const store = await on.store();
  const state = on.open({ store });
  for (let i = 0; i < 3; i++) await state.occ.transact(["n"], add("n"));
  await on.outside.flushall();
  for (let i = 0; i < 3; i++) await state.occ.transact(["n"], add("n", 10));
  return store;
}
