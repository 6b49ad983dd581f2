import { expect, test } from "@jest/globals";
import { OutcomeUnknownError } from "../src/index.ts";
import { EXEC } from "./support/commit-mode.ts";
import { add, hookWith, outcome, refuse, stage, until } from "./support/stage.ts";

const on = stage();

/** Ends every connection but the one that asks. */
const killAll = (): Promise<unknown> => on.outside.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");

test.each([
  ["and the client knows", true],
  ["and the client is about to learn it", false],
])("a connection killed between WATCH and EXEC, %s: started over, effect exactly once", async (_name, wait) => {
  let checks = 0;
  const hook = hookWith({
    async check(_values, connection) {
      if (checks++ > 0) return true;
      await killAll();
      if (wait) await until(() => connection.broken);
      return true;
    },
  });
  const occ = on.client({ hook });
  expect(await occ.transact(["n"], add("n"))).toBe(1);
  expect(checks).toBe(2);
  expect(await on.json("n")).toBe(1);
});

test("a WATCH that is lost with its connection is not believed to hold: the change in between is seen", async () => {
  let checks = 0;
  const hook = hookWith({
    async check() {
      if (checks++ === 0) {
        await killAll();
        await on.outside.set("n", "10");
      }
      return true;
    },
  });
  expect(await on.client({ hook }).transact(["n"], add("n"))).toBe(11);
});

test("a connection cut between EXEC and its answer: the transaction is answered, effect exactly once", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  await on.outside.set("n", "1");
  const caught = proxy.catchNext(EXEC);
  let runs = 0;
  const answers = Promise.all(Array.from({ length: 3 }, () => occ.transact(["n"], (view) => (runs++, add("n")(view)))));
  const held = await caught;
  await held.deliver();
  held.cut();
  expect(await answers).toEqual([2, 3, 4]);
  expect(runs).toBe(3);
  expect(await on.json("n")).toBe(4);
});

test("EXEC lost on its way with its connection: it is known not to have run, and runs once", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  const caught = proxy.catchNext(EXEC);
  const answer = occ.transact(["n"], add("n"));
  (await caught).cut();
  expect(await answer).toBe(1);
  expect(await on.json("n")).toBe(1);
});

test("two answers in a row are lost: its own marker tells of each EXEC whether it ran", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url, connections: 2 });
  for (const delivered of [true, false, true]) {
    const caught = proxy.catchNext(EXEC);
    const answer = occ.transact(["n"], add("n"));
    const held = await caught;
    if (delivered) await held.deliver();
    held.cut();
    await answer;
  }
  expect(await on.json("n")).toBe(3);
});

test.each([
  ["no key", []],
  ["a key that stays as it is", ["seen"]],
])(
  "an EXEC that reaches Redis after the client declared it not run does not run any more (it read %s)",
  async (_name, keys) => {
    const proxy = await on.proxy();
    const occ = on.client({ url: proxy.url, roundTripTimeout: 100 });
    const caught = proxy.catchNext(EXEC);
    let runs = 0;
    // It watches nothing that its repetition changes, so only the fence can stop the late EXEC.
    const answer = occ.transact(keys, () =>
      ++runs > 1 ? refuse("no longer") : { result: "done", set: { late: true } },
    );
    const held = await caught;
    expect(await outcome(answer)).toEqual(new Error("no longer"));
    const reply = await held.deliver();
    expect(reply).toMatch(/[*$]-1\r\n$/);
    expect(await on.outside.exists("late")).toBe(0);
  },
);

test("an EXEC that reaches Redis late does not undo what was written since", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url, roundTripTimeout: 100 });
  const caught = proxy.catchNext(EXEC);
  let runs = 0;
  const answer = occ.transact([], () => ({ result: ++runs, set: { last: runs } }));
  const held = await caught;
  expect(await answer).toBe(2);
  await held.deliver();
  expect(await on.json("last")).toBe(2);
});

test("the caller waits while Redis is asked whether it ran; at its deadline it learns that the outcome is unknown", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  const caught = proxy.catchNext(EXEC);
  const answer = outcome(occ.transact(["n"], add("n"), { timeout: 2_000 }));
  const held = await caught;
  await held.deliver();
  proxy.catchAll("exec", (asking) => asking.cut());
  held.cut();
  expect(await answer).toMatchObject({ code: "outcome_unknown", retryable: false });
  expect(await on.json("n")).toBe(1);
  proxy.catchNone();
  expect(await occ.transact(["n"], add("n"))).toBe(2);
});

test("Redis restarted while the answer of EXEC was lost: OutcomeUnknownError, and the client goes on with the new one", async () => {
  const first = await on.ownRedis();
  const proxy = await on.proxy(first.port);
  const occ = on.client({ url: proxy.url });
  const caught = proxy.catchNext(EXEC);
  const answer = outcome(occ.transact(["n"], add("n")));
  const held = await caught;
  await held.deliver();
  await first.kill();
  await on.ownRedis({ port: first.port });
  const error = await answer;
  expect(error).toBeInstanceOf(OutcomeUnknownError);
  expect(error).toMatchObject({ code: "outcome_unknown", retryable: false });
  expect(await occ.transact(["n"], add("n"))).toBe(1);
});

test("Redis restarted before EXEC was sent: the transaction goes on with the new one, nobody notices", async () => {
  const first = await on.ownRedis();
  const occ = on.client({ url: first.url });
  await occ.transact(["n"], add("n"));
  await first.kill();
  const answer = occ.transact(["n"], add("n"));
  await on.ownRedis({ port: first.port });
  expect(await answer).toBe(1);
});

test("a refusal whose EXEC answer was lost is decided anew, for it changed nothing", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  const caught = proxy.catchNext(EXEC);
  let runs = 0;
  const answer = outcome(occ.transact(["n"], () => refuse(`run ${++runs}`)));
  const held = await caught;
  await held.deliver();
  held.cut();
  expect(await answer).toEqual(new Error("run 2"));
});

test("a read whose answer was lost is read again", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url });
  await on.outside.set("n", "5");
  const caught = proxy.catchNext("exec");
  const answer = occ.read(["n"]);
  (await caught).cut();
  expect(await answer).toEqual([5]);
});
