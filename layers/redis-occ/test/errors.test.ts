import { expect, test } from "@jest/globals";
import { ConnectionLostError, Occ, type OccError, ServerRefusedError, TimeoutError } from "../src/index.ts";
import { add, outcome, stage } from "./support/stage.ts";

const on = stage();

/** As a caller might do it: ends where the error says that waiting does not help. */
async function whileTransient(call: () => Promise<unknown>): Promise<OccError> {
  for (let tries = 1; ; tries++) {
    const error = (await outcome(call())) as OccError;
    if (!error.transient) return error;
    if (tries === 20) throw new Error("it does not end", { cause: error });
  }
}

test("a wrong password, a missing permission and a command of a cluster end a loop that goes on while an error is transient", async () => {
  const { outside } = on;
  const { port } = on.redis;
  await outside.acl("SETUSER", "poor", "on", ">p", "~*", "+@all", "-watch", "-mget", "-evalsha", "-get");
  await outside.acl("SETUSER", "narrow", "on", ">p", "~occ:*", "~mine", "+@all");
  const wrong = on.client({ url: `redis://nobody:wrong@127.0.0.1:${port}` });
  const poor = on.client({ url: `redis://poor:p@127.0.0.1:${port}` });
  const narrow = on.client({ url: `redis://narrow:p@127.0.0.1:${port}` });
  const errors = [
    await whileTransient(() => wrong.transact(["n"], add("n"))),
    await whileTransient(() => wrong.read(["n"])),
    await whileTransient(() => poor.transact(["n"], add("n"))),
    await whileTransient(() => poor.read(["n"])),
    await whileTransient(() => narrow.transact(["n"], add("n"))),
  ];
  for (const error of errors) expect(error).toMatchObject({ unchanged: true, transient: false, retryable: false });
  expect(await narrow.transact(["mine"], add("mine"))).toBe(1);
  // Also where others ask for it at the same time.
  const denied = expect.objectContaining({ code: "redis_access" }) as unknown;
  const adding = ["n", "mine", "n"].map((key) => outcome(narrow.transact([key], add(key))));
  expect(await Promise.all(adding)).toEqual([denied, 2, denied]);
  const reading = ["n", "mine", "n"].map((key) => outcome(narrow.read([key])));
  expect(await Promise.all(reading)).toEqual([denied, [2], denied]);
});

test.each([
  ["WRONGPASS invalid username-password pair", false],
  ["NOPERM this user has no permissions", false],
  ["NOAUTH Authentication required.", false],
  ["CROSSSLOT Keys in request don't hash to the same slot", false],
  ["MOVED 1 127.0.0.1:1", false],
  ["ERR unknown command 'foo'", false],
  ["WRONGTYPE Operation against a key", false],
  ["OOM command not allowed when used memory > 'maxmemory'.", true],
  ["READONLY You can't write against a read only replica.", true],
  ["LOADING Redis is loading the dataset in memory", true],
  ["BUSY Redis is busy running a script.", true],
  ["MASTERDOWN Link with MASTER is down", true],
  ["MISCONF Errors writing to the AOF file", true],
  ["NOREPLICAS Not enough good replicas to write.", true],
  ["ERR max number of clients reached", true],
])("%s: transient is %p", (message, transient) => {
  const error = new ServerRefusedError(message);
  expect(error).toMatchObject({ unchanged: true, transient, retryable: transient });
  expect(new TimeoutError("late", { cause: error }).transient).toBe(transient);
  expect(new ServerRefusedError("told otherwise", { cause: new Error(message) }).transient).toBe(transient);
});

test.each([
  ["ECONNREFUSED", true],
  ["ETIMEDOUT", true],
  ["ENOTFOUND", true],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", false],
  ["CERT_HAS_EXPIRED", false],
  ["ERR_TLS_CERT_ALTNAME_INVALID", false],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", false],
])("a connection lost for %s: transient is %p", (code, transient) => {
  const cause = Object.assign(new Error("connect"), { code });
  expect(new ConnectionLostError("lost", { cause })).toMatchObject({ unchanged: true, transient });
});

test("every error of a call is of the family and tells both facts", async () => {
  const closed = new Occ({ url: on.redis.url });
  await closed.close();
  for (const call of [closed.read(["n"]), closed.transact([], () => ({ result: 0 })), closed.query([["ping"]])]) {
    expect(await outcome(call)).toMatchObject({ code: "closed", unchanged: true, transient: false });
  }
});
