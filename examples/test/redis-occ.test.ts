import { expect, test } from "@jest/globals";
import { Occ } from "redis-occ";
import { outcome, stage, until } from "../../layers/redis-occ/test/support/stage.ts";
import { pay } from "../idempotent-payment.ts";
import { score, top } from "../leaderboard.ts";
import { allow } from "../rate-limiter.ts";
import { Hall } from "../seats.ts";

const on = stage();

test("seats: all or none, nobody gets another's, and a hold ends by itself unless it is paid", async () => {
  await using occ = new Occ<Record<`seat:${string}`, { holder: string }>>({ url: on.redis.url });
  const hall = new Hall(occ);
  const tries = await Promise.all(["ann", "bob", "cid"].map((who) => outcome(hall.hold(who, ["1", "2"]))));
  expect(tries.filter((end) => end === undefined)).toHaveLength(1);
  const { holder } = (await on.json("seat:1")) as { holder: string };
  expect(await outcome(hall.hold("dan", ["3", "2"]))).toBeInstanceOf(Error);
  expect(await on.outside.exists("seat:3")).toBe(0);
  expect(await on.outside.pttl("seat:1")).toBeGreaterThan(500_000);
  await hall.pay(holder, "1");
  expect(await on.outside.pttl("seat:1")).toBe(-1);
  expect(await outcome(hall.pay("dan", "2"))).toBeInstanceOf(Error);
});

test("idempotent payment: the same request pays once, however often and by however many it is sent", async () => {
  const [a, b] = [on.client(), on.client()];
  await on.outside.set("account:ann", "100");
  const receipts = await Promise.all([a, b, a, b].map((occ) => pay(occ, "r1", "ann", 30)));
  expect(receipts).toEqual(Array(4).fill({ paid: 30, left: 70 }));
  expect(await outcome(pay(a, "r2", "ann", 71))).toBeInstanceOf(Error);
  await on.outside.set("account:ann", "71");
  expect(await pay(b, "r2", "ann", 71)).toEqual({ paid: 71, left: 0 });
});

test("rate limiter: a burst, then the rate, over all servers together; a full bucket is forgotten", async () => {
  const clients = [on.client(), on.client()];
  const rate = { burst: 5, perSecond: 10 };
  const begin = 1_000_000;
  const tries = await Promise.all(Array.from({ length: 20 }, (_, i) => allow(clients[i % 2]!, "ann", rate, begin)));
  expect(tries.filter(Boolean)).toHaveLength(5);
  expect(await allow(clients[0]!, "bob", rate, begin)).toBe(true);
  expect(await allow(clients[0]!, "ann", rate, begin + 100)).toBe(true);
  expect(await allow(clients[1]!, "ann", rate, begin + 100)).toBe(false);
  await until(async () => (await on.outside.exists("rate:bob")) === 0);
});

test("leaderboard: the best score of each, and the news of it", async () => {
  const occ = on.client();
  const heard: string[] = [];
  const subscriber = on.connect(on.redis.url);
  await subscriber.subscribe("news");
  subscriber.on("message", (_channel, text) => heard.push(text));
  const games = [3, 9, 4].flatMap((points) =>
    ["ann", "bob"].map((who) => score(occ, who, who === "ann" ? points : points + 1)),
  );
  await Promise.all(games);
  expect(await top(occ, 2)).toEqual(["bob", "ann"]);
  expect(await on.outside.zscore("board", "ann")).toBe("9");
  expect(await on.json("player:bob")).toEqual({ best: 10, games: 3 });
  await until(() => heard.length === 4);
});
