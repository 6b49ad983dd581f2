import { expect, test } from "@jest/globals";
import { OutcomeUnknownError, ServerRefusedError } from "../src/index.ts";
import { EXEC } from "./support/commit-mode.ts";
import { add, gate, hookWith, outcome, plain, refuse, stage, until } from "./support/stage.ts";

const on = stage();

test("recall() is asked where EXEC's answer is lost: with `ran` where the marker says so; what it says counts", async () => {
  const proxy = await on.proxy();
  const calls: unknown[] = [];
  let stands = true;
  let executed = 0;
  const hook = hookWith<string>({
    check: () => "session",
    executed: () => Promise.resolve().then(() => void executed++),
    recall: async (session, writes, ran) => (calls.push([session, plain(writes), ran]), stands),
  });
  const occ = on.client({ url: proxy.url, hook });
  for (stands of [true, false]) {
    const caught = proxy.catchNext(EXEC);
    const answer = occ.transact(["n"], add("n"));
    const held = await caught;
    await held.deliver();
    held.cut();
    await answer;
  }
  expect(calls).toEqual([
    ["session", [{ images: { n: "1" }, meta: undefined }], "ran"],
    ["session", [{ images: { n: "2" }, meta: undefined }], "ran"],
  ]);
  expect(executed).toBe(1);
  expect(await on.json("n")).toBe(3);
});

test("recall() is not asked where the marker says that EXEC did not run", async () => {
  const proxy = await on.proxy();
  const hook = hookWith({ recall: () => refuse("must not be asked") });
  const occ = on.client({ url: proxy.url, hook });
  const caught = proxy.catchNext(EXEC);
  const answer = occ.transact(["n"], add("n"));
  (await caught).cut();
  expect(await answer).toBe(1);
});

test("the hook's watched values were replaced while EXEC's answer was lost: recall() hears `unknown`", async () => {
  await on.outside.set("guard", "epoch 1");
  const proxy = await on.proxy();
  const calls: unknown[] = [];
  const hook = hookWith({ watch: ["guard"], recall: async (_session, _writes, ran) => (calls.push(ran), true) });
  const occ = on.client({ url: proxy.url, hook });
  const caught = proxy.catchNext(EXEC);
  const answer = occ.transact(["n"], add("n"));
  const held = await caught;
  await held.deliver();
  await on.outside.flushall();
  await on.outside.set("guard", "epoch 2");
  held.cut();
  expect(await answer).toBe(1);
  expect(calls).toEqual(["unknown"]);
});

test("Redis restarted while EXEC's answer was lost: recall() hears `unknown`; it knows, or the outcome stays unknown", async () => {
  for (const [recall, expected] of [
    [() => Promise.resolve(true), 1],
    [() => refuse("the log cannot be read"), expect.any(OutcomeUnknownError)],
  ] as const) {
    const first = await on.ownRedis();
    const proxy = await on.proxy(first.port);
    const heard: unknown[] = [];
    const hook = hookWith({ recall: (_session, _writes, ran) => (heard.push(ran), recall()) });
    const occ = on.client({ url: proxy.url, hook });
    const caught = proxy.catchNext(EXEC);
    const answer = outcome(occ.transact(["n"], add("n")));
    await (await caught).deliver();
    await first.kill();
    await on.ownRedis({ port: first.port });
    expect(await answer).toEqual(expected);
    expect(heard).toEqual(["unknown"]);
  }
});

test.each<[string, () => Promise<boolean>, unknown]>([
  ["it says that the writes stand: they are answered", () => Promise.resolve(true), 2],
  [
    "it says that they were undone: ServerRefusedError, nothing was changed",
    () => Promise.resolve(false),
    expect.any(ServerRefusedError),
  ],
  ["it fails: OutcomeUnknownError", () => refuse("gone"), expect.any(OutcomeUnknownError)],
])(
  "a command that fails inside EXEC leaves half of it: halfDone() is called instead of executed(); %s",
  async (_name, halfDone, expected) => {
    await on.outside.mset("text", "not a stream", "n", "1");
    const calls: unknown[] = [];
    const hook = hookWith<string>({
      check: () => "session",
      stage: () => [["xadd", "text", "*", "a", "1"]],
      executed: () => refuse("must not be called"),
      halfDone: (session, writes) => (calls.push([session, plain(writes)]), halfDone()),
    });
    expect(await outcome(on.client({ hook }).transact(["n"], add("n")))).toEqual(expected);
    expect(calls).toEqual([["session", [{ images: { n: "2" }, meta: undefined }]]]);
  },
);

test("while halfDone() uses the connection nobody else does", async () => {
  await on.outside.set("text", "not a stream");
  const firm = gate<boolean>();
  let held: unknown;
  let lentMeanwhile = false;
  let bad = true;
  const hook = hookWith({
    check(_values, connection) {
      if (connection === held) lentMeanwhile = true;
      return true;
    },
    stage: () => (bad ? [["xadd", "text", "*", "a", "1"]] : []),
    halfDone(_session, _writes, connection) {
      held = connection;
      bad = false;
      return firm.promise.finally(() => (held = undefined));
    },
  });
  const occ = on.client({ hook });
  const broken = outcome(occ.transact(["n"], add("n")));
  await until(() => held !== undefined);
  await occ.transactAlone(["m"], add("m"));
  await occ.read(["m"]);
  firm.open(false);
  expect(await broken).toBeInstanceOf(ServerRefusedError);
  expect(lentMeanwhile).toBe(false);
});
