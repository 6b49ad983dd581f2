import { afterEach, expect, test } from "@jest/globals";
import { Connection } from "../src/connection.ts";
import { add, beforeExec, outcome, stage } from "./support/stage.ts";

const on = stage();
const opened: Connection[] = [];
afterEach(() => opened.splice(0).forEach((connection) => connection.close()));

test("a command with a Buffer arrives in its place", async () => {
  const connection = await Connection.open({ url: on.redis.url, roundTripTimeout: 2_000 });
  opened.push(connection);
  expect(await connection.pipeline([["echo", "1"], ["echo", Buffer.from("2")], ["echo", "3"]])).toEqual(["1", "2", "3"]);
});

test("a rule's command with a Buffer runs within its EXEC only: an EXEC in vain runs it not", async () => {
  const proxy = await on.proxy();
  const occ = on.client({ url: proxy.url, maxAttempts: 1 });
  await on.outside.set("n", "1");
  void beforeExec(proxy, () => on.outside.set("n", "5"));
  const answer = await outcome(
    occ.transact(["n"], (view) => ({ ...add("n")(view), commands: [["append", "raw", Buffer.from("x")]] })),
  );
  expect(answer).toMatchObject({ code: "conflict", unchanged: true });
  expect(await on.outside.get("raw")).toBeNull();
});

test("query with a Buffer gets its reply", async () => {
  const occ = on.client();
  await on.outside.mset("a", "1", "b", "2");
  expect(await occ.query([["get", "a"], ["get", Buffer.from("b")]])).toEqual(["1", "2"]);
});
