import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { join } from "node:path";
import { afterEach, expect, test } from "@jest/globals";
import { Channel, type ChannelOptions } from "../src/channel.ts";
import { AccessError, AddressError, ClosedError, ConnectionLostError } from "../src/index.ts";
import { outcome, stage, until } from "./support/stage.ts";

const on = stage();
const open: Channel[] = [];
afterEach(() => open.splice(0).forEach((channel) => channel.close()));

/** One more process' way to the channel, and what it hears. */
function member(options: Partial<ChannelOptions> = {}): { channel: Channel; heard: string[] } {
  const heard: string[] = [];
  const channel = new Channel({
    url: on.redis.url,
    name: "sold",
    onMessage: (text) => heard.push(text),
    ...options,
  } as ChannelOptions);
  open.push(channel);
  return { channel, heard };
}

test("whoever listens hears what is published from then on, the publisher itself too, and in order", async () => {
  const [a, b, deaf, other] = [member(), member(), member(), member({ name: "other" })];
  await a.channel.publish("before");
  await Promise.all([a, b, other].map(({ channel }) => channel.listen()));
  const subscribed = await on.calls("subscribe");
  await a.channel.listen(); // once more costs nothing, and is heard once
  expect(await on.calls("subscribe")).toBe(subscribed);
  for (const text of ["1", "2", "3"]) await a.channel.publish(text);
  await until(() => b.heard.length === 3 && a.heard.length === 3);
  expect([a.heard, b.heard, deaf.heard, other.heard]).toEqual([["1", "2", "3"], ["1", "2", "3"], [], []]);
});

test("listen resolves once Redis has it, and not before", async () => {
  const proxy = await on.proxy();
  const { channel } = member({ url: proxy.url });
  const caught = proxy.catchNext("subscribe");
  let listens = false;
  const listening = channel.listen().then(() => (listens = true));
  const held = await caught;
  expect(listens).toBe(false);
  held.pass();
  await listening;
  expect(await on.outside.pubsub("NUMSUB", "sold")).toEqual(["sold", 1]);
});

test("its name is the same in all databases, and whatever keyPrefix there is", async () => {
  const a = member({ url: `${on.redis.url}/3?keyPrefix=a:` });
  const b = member({ url: undefined, redis: { port: on.redis.port, keyPrefix: "b:" } });
  await Promise.all([a.channel.listen(), b.channel.listen()]);
  await a.channel.publish("1");
  await until(() => a.heard.length + b.heard.length === 2);
});

test("a command of a rule reaches it, if the transaction commits", async () => {
  const { channel, heard } = member();
  await channel.listen();
  const occ = on.client();
  await outcome(
    occ.transact(["n"], () => {
      throw new Error("refused");
    }),
  );
  await occ.transact(["n"], () => ({ result: 0, set: { n: 1 }, commands: [["publish", "sold", "12B"]] }));
  await until(() => heard.length > 0);
  expect(heard).toEqual(["12B"]);
});

test("after rest nothing is heard, until listen", async () => {
  const [a, b] = [member(), member()];
  await a.channel.listen();
  a.channel.rest();
  await until(async () => (await on.outside.pubsub("NUMSUB", "sold"))[1] === 0);
  await b.channel.publish("missed");
  await a.channel.listen();
  await b.channel.publish("heard");
  await until(() => a.heard.length > 0);
  expect(a.heard).toEqual(["heard"]);
  a.channel.rest();
  await a.channel.listen();
  await b.channel.publish("still");
  await until(() => a.heard.length > 1);
});

test("a connection that breaks takes the listening with it; the next listen and publish open another", async () => {
  const { channel, heard } = member();
  await channel.listen();
  await channel.publish("1");
  await until(() => heard.length === 1);
  for (const type of ["pubsub", "normal"]) await on.outside.call("client", "kill", "type", type);
  await until(async () => (await on.outside.pubsub("NUMSUB", "sold"))[1] === 0);
  await channel.listen();
  await channel.publish("2");
  await until(() => heard.length === 2);
});

test("a server that is gone, one that hangs, a wrong password and a wrong address are errors, in time", async () => {
  const gone = member({ url: "redis://127.0.0.1:1" }).channel;
  expect(await outcome(gone.publish("x"))).toBeInstanceOf(ConnectionLostError);
  expect(await outcome(gone.listen())).toBeInstanceOf(ConnectionLostError);
  expect(await outcome(member({ url: "redis://127.0.0.1:port" }).channel.listen())).toBeInstanceOf(AddressError);
  const locked = await on.ownRedis({ args: ["--requirepass", "secret"] });
  const url = locked.url.replace("//", "//:wrong@");
  expect(await outcome(member({ url }).channel.publish("x"))).toBeInstanceOf(AccessError);

  const own = await on.ownRedis();
  const { channel, heard } = member({ url: own.url, roundTripTimeout: 200 });
  await channel.listen();
  await channel.publish("1");
  own.pause();
  // Nobody knows what becomes of what was sent.
  expect(await outcome(channel.publish("2"))).toMatchObject({ code: "outcome_unknown", unchanged: false });
  expect(await outcome(member({ url: own.url, roundTripTimeout: 200 }).channel.listen())).toBeInstanceOf(
    ConnectionLostError,
  );
  own.resume();
  await channel.listen();
  await channel.publish("3");
  await until(() => heard.includes("3"));
});

test("a user who may not listen is told so, and listens once that is allowed", async () => {
  const own = await on.ownRedis();
  const admin = on.connect(own.url);
  await admin.call("acl", "setuser", "ann", "on", "nopass", "~*", "+@all", "resetchannels");
  const { channel, heard } = member({ url: own.url.replace("//", "//ann:any@") });
  expect(await outcome(channel.listen())).toBeInstanceOf(AccessError);
  expect(await outcome(channel.publish("1"))).toBeInstanceOf(AccessError);
  await admin.call("acl", "setuser", "ann", "&sold");
  await channel.listen();
  await channel.publish("2");
  await until(() => heard.length > 0);
  expect(heard).toEqual(["2"]);
});

test("once it is closed, calls end with a ClosedError, and nothing stays open", async () => {
  const { channel } = member();
  const name = `c${Date.now()}`;
  const tell = new Channel({
    redis: { port: on.redis.port, connectionName: name },
    name: "sold",
    onMessage: () => undefined,
  });
  await tell.listen();
  await tell.publish("x");
  const count = async (): Promise<number> => String(await on.outside.client("LIST")).split(` name=${name} `).length - 1;
  expect(await count()).toBe(2);
  tell.close();
  expect(await outcome(tell.publish("x"))).toBeInstanceOf(ClosedError);
  await until(async () => (await count()) === 0);
  expect(await outcome(tell.publish("x"))).toBeInstanceOf(ClosedError);
  expect(await outcome(tell.listen())).toBeInstanceOf(ClosedError);
  channel.close();
  expect(await outcome(channel.listen())).toBeInstanceOf(ClosedError);
});

test("it keeps no process alive", async () => {
  const program = `
    import { Channel } from "redis-occ/channel";
    const channel = new Channel({ url: "${on.redis.url}", name: "sold", onMessage: () => undefined });
    await channel.listen();
    await channel.publish("x");`;
  await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
    cwd: join(import.meta.dirname, ".."),
    timeout: 20_000,
  });
});

test.each([
  [{ tiemout: 1 }, "unknown option tiemout"],
  [{ name: "" }, "name must be a text"],
  [{ name: 7 }, "name must be a text"],
  [{ onMessage: "look" }, "onMessage must be a function"],
  [{ roundTripTimeout: 0 }, "roundTripTimeout must be a number of milliseconds"],
  [{ url: undefined }, "exactly one of url, redis and connect"],
])("%j: refused with a TypeError", (options, why) => {
  expect(() => member(options as never)).toThrow(TypeError);
  expect(() => member(options as never)).toThrow(why);
});
