import { expect, test } from "@jest/globals";
import { Incidents, type Event } from "../server/incidents.ts";

/** What is told of events, in seconds: `[level] text`. */
function told(...events: readonly [second: number, event: Record<string, unknown>][]): string[] {
  const incidents = new Incidents();
  for (const [second, event] of events) incidents.take({ at: second * 1_000, ...event } as Event);
  return incidents.all.map(({ level, text }) => `${level}: ${text}`);
}

const died = (who: string): Record<string, unknown> => ({ kind: "died", who });
const serves = (who: string): Record<string, unknown> => ({ kind: "serves", who });
const restoring = (service: string, epoch: number): Record<string, unknown> => ({ kind: "restoring", service, epoch });
const restored = (service: string, epoch: number): Record<string, unknown> => ({ kind: "restored", service, epoch });

test("a Redis that dies is one sentence, which goes on until its state is back", () => {
  const story: [number, Record<string, unknown>][] = [
    [1, died("redis-stock")],
    [1.1, serves("redis-stock")],
    [1.2, restoring("stock", 3)],
    [1.4, restored("stock", 3)],
  ];
  expect(told(...story.slice(0, 1))).toEqual(["bad: Redis of stock died"]);
  expect(told(...story.slice(0, 2))).toEqual(["bad: Redis of stock died, back in 0.1 s"]);
  expect(told(...story.slice(0, 3))).toEqual(["bad: Redis of stock died, restoring"]);
  expect(told(...story)).toEqual(["good: Redis of stock died, restored in 0.4 s, epoch 3"]);
});

test("one that dies again while it comes back is still one", () => {
  expect(
    told(
      [1, died("redis-stock")],
      [2, serves("redis-stock")],
      [3, died("redis-stock")],
      [4, serves("redis-stock")],
      [5, restored("stock", 4)],
    ),
  ).toEqual(["good: Redis of stock died, 2 times, restored in 4.0 s, epoch 4"]);
});

test("a state that was put back by somebody is a sentence without a death", () => {
  expect(told([1, restoring("payment", 2)], [1.3, restored("payment", 2)])).toEqual([
    "good: Redis of payment did not agree with its log, restored in 0.3 s, epoch 2",
  ]);
});

test("a host and a Redis that die together are two sentences, and each has its end", () => {
  expect(
    told(
      [1, died("host")],
      [1, died("redis-order")],
      [2, serves("redis-order")],
      [3, serves("host")],
      [3.5, restored("order", 2)],
      [4, { kind: "resumed" }],
    ),
  ).toEqual([
    "good: the host died, back in 2.0 s, open checkouts resumed after 3.0 s",
    "good: Redis of order died, restored in 2.5 s, epoch 2",
  ]);
});

test("a shop that opens tells so once", () => {
  const opened: [number, Record<string, unknown>][] = [
    [1, restoring("order", 1)],
    [1.1, restored("order", 1)],
    [2, { kind: "resumed" }],
    [9, { kind: "resumed" }],
  ];
  expect(told(...opened)).toEqual(["good: the shop is open: every service is restored"]);
});
