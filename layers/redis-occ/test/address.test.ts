/** What an address of Redis has to be. Where it is wrong nothing is read or written, and no try is made again. */
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { describe, expect, test } from "@jest/globals";
import { databaseOf } from "../src/address.ts";
import { AccessError, AddressError, DatabaseError } from "../src/index.ts";
import { add, outcome, stage } from "./support/stage.ts";

const on = stage();

describe("the database that an address names", () => {
  test.each([
    ["redis://h", 0],
    ["redis://h/", 0],
    ["redis://h:1/7", 7],
    ["redis://u:p%25@[::1]:1/15", 15],
    ["rediss://h/2?db=3", 2],
    ["redis://h?db=3", 3],
    ["/run/redis.sock", 0],
    ["/run/redis.sock?db=4", 4],
    ["unix:/run/redis.sock?db=4", 4],
    ["127.0.0.1:6379", 0],
  ])("of %s is %d", (url, database) => expect(databaseOf(url)).toBe(database));

  test.each(["redis://h/abc", "redis://h/1abc", "redis://h/-1", "redis://h/1.5", "redis://h/0x1", "/sock?db=x"])(
    "of %s is none",
    (url) => expect(() => databaseOf(url)).toThrow(AddressError),
  );
});

/** Neither a transaction nor a read reaches any database of the server. */
async function expectNothing(url: string, error: new (message: string) => Error, why: RegExp): Promise<void> {
  await on.outside.set("somebody", '"else"');
  const client = on.client({ url });
  for (const use of [client.transact(["n"], add("n")), client.read(["somebody"])]) {
    const found = await outcome(use);
    expect(found).toBeInstanceOf(error);
    expect(found).toMatchObject({ retryable: false, message: expect.stringMatching(why) as unknown });
  }
  expect(await on.outside.info("keyspace")).toMatch(/db0:keys=1,/);
  expect(await on.outside.info("keyspace")).not.toMatch(/db[1-9]/);
}

test("a database that the server does not have is an error, and database 0 is not taken in its place", () =>
  expectNothing(`${on.redis.url}/16`, DatabaseError, /database 16 cannot be selected: ERR DB index is out of range/));

test("a database that is no number is an error", () =>
  expectNothing(`${on.redis.url}/abc`, AddressError, /names database "abc", which is no number/));

test.each([
  ["redis", /what answers at this address is no Redis: its answer begins with "H"$/],
  ["rediss", /what answers at this address speaks no TLS$/],
])("%s:// to another server is an error that says so", async (scheme, why) => {
  const server = createServer((client) => {
    client.on("error", () => undefined).on("data", () => client.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await expectNothing(`${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`, AddressError, why);
  } finally {
    server.close();
  }
});

test("an address with a raw % in its password is told as that, and the password is not", async () => {
  const url = `redis://:50%off@127.0.0.1:${on.redis.port}`;
  await expectNothing(url, AddressError, /with %25 for a % of the password/);
  expect(String(await outcome(on.client({ url }).read(["n"])))).not.toContain("50%off");
});

test("a user who may not select the database is told so; database 0 needs no permission for it", async () => {
  await on.outside.call("acl", "setuser", "narrow", "on", ">p", "~*", "+@all", "-select");
  const at = `redis://narrow:p@127.0.0.1:${on.redis.port}`;
  await expectNothing(`${at}/1`, AccessError, /NOPERM.*select/);
  expect(await on.client({ url: at }).transact(["n"], add("n"))).toBe(1);
});

test("a wrong password cannot get better by waiting: no further try is made", async () => {
  const redis = await on.ownRedis({ args: ["--requirepass", "right"] });
  const error = await outcome(on.client({ url: `redis://:wrong@127.0.0.1:${redis.port}` }).read(["n"]));
  expect(error).toBeInstanceOf(AccessError);
  expect(error).toMatchObject({ code: "redis_access", retryable: false });
});

test("the database that was named is the one that is worked on", async () => {
  expect(await on.client({ url: `${on.redis.url}/3` }).transact(["n"], add("n"))).toBe(1);
  expect(await on.outside.info("keyspace")).not.toMatch(/db0/);
  await on.outside.select(3);
  expect(await on.outside.get("n")).toBe("1");
  await on.outside.select(0);
});
