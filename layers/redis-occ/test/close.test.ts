import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";
import { ClosedError, Occ } from "../src/index.ts";
import { COMMIT_MODE, EXEC } from "./support/commit-mode.ts";
import { add, outcome, stage } from "./support/stage.ts";

const on = stage();

const count = (outcomes: readonly unknown[], fits: (outcome: unknown) => boolean): number =>
  outcomes.filter(fits).length;

test("close with drain under load: each call that was made before has its answer, none is unknown", async () => {
  const occ = on.client();
  const calls = Array.from({ length: 2_000 }, (_, i) => occ.transact([`k${i % 50}`], add(`k${i % 50}`)));
  const reads = Array.from({ length: 100 }, (_, i) => occ.read([`k${i % 50}`]));
  await Promise.race(calls);
  const closed = occ.close({ drain: true });
  const late = await Promise.all([
    outcome(occ.transact(["k0"], add("k0"))),
    outcome(occ.read(["k0"])),
    outcome(occ.query([["ping"]])),
  ]);
  for (const error of late) expect(error).toBeInstanceOf(ClosedError);
  await closed;
  const outcomes = await Promise.all(calls.map(outcome));
  expect(count(outcomes, (result) => typeof result === "number")).toBe(2_000);
  expect(await Promise.all(reads)).toHaveLength(100);
  const values = await Promise.all(Array.from({ length: 50 }, (_, i) => on.json(`k${i}`)));
  expect((values as number[]).reduce((sum, n) => sum + n, 0)).toBe(2_000);
});

test("await using drains", async () => {
  let calls: Promise<number>[];
  {
    await using occ = new Occ({ url: on.redis.url, commit: COMMIT_MODE });
    calls = Array.from({ length: 20 }, () => occ.transact(["n"], add("n")));
  }
  expect(await Promise.all(calls)).toHaveLength(20);
});

test("close with drain ends within the calls' timeouts, whatever holds them up; called twice, both end", async () => {
  const own = await on.ownRedis();
  const occ = on.client({ url: own.url });
  await occ.transact(["n"], add("n"));
  own.pause();
  const call = outcome(occ.transact(["n"], add("n"), { timeout: 300 }));
  await Promise.all([occ.close({ drain: true }), occ.close({ drain: true })]);
  expect(await call).toBeInstanceOf(Error);
  own.resume();
});

test("close without drain ends what a drain waits for", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  const caught = proxy.catchNext(EXEC);
  const call = outcome(occ.transact(["n"], add("n")));
  await caught;
  const drained = occ.close({ drain: true });
  await occ.close();
  expect(await call).toMatchObject({ code: "outcome_unknown" });
  await drained;
});

test("an idle client does not keep a process alive; one at work does", async () => {
  const program = `
    import { Occ } from ${JSON.stringify(new URL("../src/index.ts", import.meta.url).href)};
    const occ = new Occ({ url: ${JSON.stringify(on.redis.url)}, commit: ${JSON.stringify(COMMIT_MODE)} });
    const n = await occ.transact(["n"], (view) => ({ result: (view.get("n") ?? 0) + 1, set: { n: 1 } }));
    await occ.read(["n"]);
    console.log("done", n);`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
    timeout: 20_000,
  });
  expect(stdout).toBe("done 1\n");
});
