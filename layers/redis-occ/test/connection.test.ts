import { afterEach, expect, test } from "@jest/globals";
import { Connection } from "../src/connection.ts";
import { ServerRefusedError } from "../src/index.ts";
import { outcome, stage } from "./support/stage.ts";

const on = stage();
const opened: Connection[] = [];
afterEach(() => opened.splice(0).forEach((connection) => connection.close()));

async function open(): Promise<Connection> {
  const connection = await Connection.open({ url: on.redis.url, roundTripTimeout: 2_000 });
  opened.push(connection);
  return connection;
}

test("the replies are in the order of the commands, whoever else uses the connection", async () => {
  const connection = await open();
  const numbers = Array.from({ length: 50 }, (_, i) => String(i));
  const replies = await Promise.all(
    numbers.map((n) =>
      connection.pipeline([
        ["echo", n],
        ["echo", `${n}!`],
      ]),
    ),
  );
  expect(replies).toEqual(numbers.map((n) => [n, `${n}!`]));
});

test("short and long commands of one write arrive whole and in order, whatever characters are in them", async () => {
  const connection = await open();
  const texts = [1, 40_000, 40_000, 2, 65_536, 200_000, 0, 3].map((length, i) => `${i}é€\u{1f600}`.padEnd(length, "ü"));
  expect(await connection.pipeline(texts.map((text) => ["echo", text]))).toEqual(texts);
  expect(await connection.transaction(texts.map((text) => ["echo", text]))).toEqual(texts);
});

test("a transaction of which one command is refused is refused with that command's reason, and none is run", async () => {
  const connection = await open();
  const refused = connection.transaction([
    ["set", "a", "1"],
    ["set", "a"],
    ["set", "b", "1"],
  ]);
  await expect(refused).rejects.toThrow("wrong number of arguments");
  await expect(refused).rejects.toBeInstanceOf(ServerRefusedError);
  expect(await on.outside.exists("a", "b")).toBe(0);
  expect(await connection.pipeline([["get", "a"]])).toEqual([null]);
});

test("a command that is longer than a string can be: nothing is sent, and the connection is not used again", async () => {
  const connection = await open();
  const half = "x".repeat(300 * 1024 * 1024);
  expect(
    await outcome(
      connection.transaction([
        ["set", "a", "1"],
        ["mset", "b", half, "c", half],
      ]),
    ),
  ).toBeInstanceOf(RangeError);
  expect(connection.broken).toBe(true);
  expect(await on.outside.exists("a", "b", "c")).toBe(0);
});
