/** What the console answers, held against the log as it is read from its beginning. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { compact, readHistory, stateAt, type LogRecord } from "log-replay";
import type { LogRow, RecordPage } from "../server/views.ts";
import type { Now } from "../server/shop-view.ts";
import type { Story } from "../server/story.ts";
import { MadeShop, SERVICES, traceOf, type ServiceName } from "./support/logs.ts";
import { caughtUp, eventually, openConsole, type Opened } from "./support/opened.ts";

let shop: MadeShop;
let opened: Opened;
/** All records of the three logs, as anybody would read them. */
let history: { readonly service: ServiceName; readonly record: LogRecord }[];

beforeAll(async () => {
  shop = await MadeShop.create();
  for (let i = 0; i < 150; i++) shop.checkout();
  for (const service of SERVICES) await shop.logs[service].begin();
  for (let i = 0; i < 150; i++) shop.checkout();
  shop.checkout(undefined, "running");
  await shop.flush();
  opened = await openConsole(shop);
  await caughtUp(opened.view, shop);
  history = [];
  for (const service of SERVICES)
    for await (const record of readHistory(shop.logs[service].store)) history.push({ service, record });
});
afterAll(async () => {
  await opened.close();
  shop.remove();
});

interface LogPage {
  readonly total: number;
  readonly left: number;
  readonly newer: number;
  readonly rows: LogRow[];
}

const found = async (query: string): Promise<LogPage> =>
  eventually(async () => {
    const page = await opened.get<LogPage>(`log?${query}`);
    if (page.left > 0) throw new Error(`${page.left} are not searched yet`);
    return page;
  });
const named = (rows: readonly { service: string; n: number }[]): string[] =>
  rows.map(({ service, n }) => `${service} ${n}`);

const filters: readonly (readonly [query: string, fits: (record: LogRecord, service: string) => boolean])[] = [
  ["", () => true],
  ["services=stock", (_record, service) => service === "stock"],
  ["op=charge,saga_paid", ({ op }) => op === "charge" || op === "saga_paid"],
  ["saga=s00000000000000000042", ({ saga }) => saga === "s00000000000000000042"],
  ["key=item:7", ({ set }) => "item:7" in set],
  ["key=item:*", ({ set }) => Object.keys(set).some((key) => key.startsWith("item:"))],
  ["key=item:1*", ({ set }) => Object.keys(set).some((key) => key.startsWith("item:1"))],
  ["text=too%20little", (record) => JSON.stringify(record).includes("too little")],
  ["text=no%20such%20thing", () => false],
  [
    "since=2026-01-31T12:00:10Z&until=2026-01-31T12:00:20Z",
    ({ at }) => at >= "2026-01-31T12:00:10.000Z" && at <= "2026-01-31T12:00:20.000Z",
  ],
];

describe("the log", () => {
  test.each(filters)(
    "asked for %p gives exactly the records that fit, newest first, page by page",
    async (query, fits) => {
      const wanted = history.filter(({ record, service }) => fits(record, service));
      const rows: LogRow[] = [];
      const { total } = await found(`${query}&count=0`);
      for (let from = 0; from < total; from += 97) rows.push(...(await found(`${query}&from=${from}&count=97`)).rows);
      expect(total).toBe(wanted.length);
      expect(named(rows).sort()).toEqual(named(wanted.map(({ service, record }) => ({ service, n: record.n }))).sort());
      expect(rows.map(({ at }) => at)).toEqual(
        rows
          .map(({ at }) => at)
          .sort()
          .reverse(),
      );
    },
  );

  test("the same page stands still while records are appended, and says how many are newer", async () => {
    const head = SERVICES.map((service) => `${service}:${shop.logs[service].n}`).join();
    const before = await found(`head=${head}&from=50&count=20`);
    shop.checkout(undefined, "paid");
    await shop.flush();
    await caughtUp(opened.view, shop);
    const after = await found(`head=${head}&from=50&count=20`);
    expect(after.rows).toEqual(before.rows);
    expect(after.newer).toBe(before.newer + 4);
  });

  test("a record tells of each key what was there before it", async () => {
    const state = new Map<string, unknown>();
    for await (const record of readHistory(shop.logs.stock.store)) {
      if (record.n % 37 === 0) {
        const page = await opened.get<RecordPage>(`record/stock/${record.n}`);
        expect(page.changes.map(({ key, before, after }) => [key, before, after])).toEqual(
          Object.entries(record.set).map(([key, after]) => [key, state.get(key) ?? null, after]),
        );
      }
      for (const [key, image] of Object.entries(record.set)) state.set(key, image);
    }
  });
});

describe("the state", () => {
  test.each([1, 2, 60, 151, 290])("after commit %i of stock is what a replay up to there gives", async (n) => {
    const { images } = await stateAt(shop.logs.stock.store, { n });
    const page = await opened.get<{ rows: { key: string; value: unknown }[]; complete: boolean }>(
      `state/stock?at=${n}&prefix=item:&count=200`,
    );
    const wanted = [...images]
      .filter(([key]) => key.startsWith("item:"))
      .map(([key, { image }]) => [key, JSON.parse(image) as unknown]);
    expect(page.complete).toBe(true);
    expect(page.rows.map(({ key, value }) => [key, value]).sort()).toEqual(wanted.sort());
  });

  test("two moments differ in the keys that were written in between, and in no other", async () => {
    const [a, b] = [40, 80];
    const before = (await stateAt(shop.logs.payment.store, { n: a })).images;
    const after = (await stateAt(shop.logs.payment.store, { n: b })).images;
    const wanted = [...after].filter(([key, { image }]) => before.get(key)?.image !== image).map(([key]) => key);
    const { changes } = await opened.get<{ changes: { key: string; before: unknown }[] }>(
      `compare/payment?a=${b}&b=${a}`,
    );
    expect(changes.map(({ key }) => key).sort()).toEqual(wanted.sort());
    for (const { key, before: was } of changes) expect(was).toEqual(JSON.parse(before.get(key)?.image ?? "null"));
  });

  test("a key has all of its versions, newest first", async () => {
    const wanted = history
      .filter(({ service, record }) => service === "stock" && "item:3" in record.set)
      .map(({ record }) => record.n);
    const { versions } = await opened.get<{ versions: { n: number }[] }>("key/stock?key=item:3");
    expect(versions.map(({ n }) => n)).toEqual(wanted.reverse());
  });
});

describe("the checkouts", () => {
  test.each([
    ["paid", (state: string) => state === "paid"],
    ["refused", (state: string) => state === "refused"],
    ["aborted", (state: string) => state === "aborted"],
    ["taken-over", (state: string) => state === "aborted"],
    ["open", (state: string) => state === "running"],
    ["stuck", (state: string) => state === "running"],
  ])("that are %s are those, newest first", async (state, fits) => {
    const { rows, total } = await opened.get<{ rows: { id: string }[]; total: number }>(
      `sagas?state=${state}&count=200`,
    );
    const wanted = shop.checkouts.filter((checkout) => fits(checkout.state)).map(({ id }) => id);
    expect(total).toBe(wanted.length);
    expect(rows.map(({ id }) => id)).toEqual(wanted.reverse().slice(0, 200));
  });

  test.each([
    [`text=${traceOf(42)}`, ["42"]],
    // As the id of a request is written that came without a trace.
    [`text=${traceOf(42).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")}`, ["42"]],
    ["text=s0000000000000000007", ["70", "71", "72", "73", "74", "75", "76", "77", "78", "79"]],
    ["order=o123", ["123"]],
    ["atleast=6000&until=2026-01-31T12:00:20Z", ["29", "59", "89", "119"]],
  ])("are found by %s", async (query, numbers) => {
    const { rows } = await opened.get<{ rows: { id: string }[] }>(`sagas?${query}`);
    expect(rows.map(({ id }) => String(Number(id.slice(1))))).toEqual([...numbers].reverse());
  });

  test("the story of one that was taken over has all that it wrote, and who drove it", async () => {
    const story = await opened.get<Story>("saga/s00000000000000000029");
    expect(story.records.map(({ record }) => record["op"])).toEqual([
      "checkout",
      "reserve",
      "saga_abandoned",
      "release",
      "saga_closed",
    ]);
    expect(story.drivers).toEqual(["first", "second"]);
    expect(story.bars.map(({ kind }) => kind)).toContain("compensation");
  });
});

test("an epoch that cuts off what was told of before: the console forgets it as well", async () => {
  const id = shop.checkout(undefined, "running").id;
  await shop.flush();
  await caughtUp(opened.view, shop);
  expect((await opened.get<{ total: number }>(`sagas?text=${id}`)).total).toBe(1);
  await shop.logs.order.begin(shop.logs.order.n - 1);
  await eventually(async () => expect((await opened.get<{ total: number }>(`sagas?text=${id}`)).total).toBe(0));
  await caughtUp(opened.view, shop);
});

test("what a compaction takes to the archive is read from there", async () => {
  const before = await found("services=payment&from=200&count=50");
  await shop.logs.payment.begin();
  await compact(shop.logs.payment.store);
  expect((await shop.logs.payment.store.archived()).length).toBeGreaterThan(0);
  expect((await found("services=payment&from=200&count=50")).rows).toEqual(before.rows);
});

test("commits a second are the same for everybody who looks", async () => {
  const busy = await MadeShop.create();
  busy.time = Date.now();
  for (let i = 0; i < 20; i++) busy.checkout();
  await busy.flush();
  const looked = await openConsole(busy);
  try {
    await caughtUp(looked.view, busy);
    const rates = async (): Promise<number[]> => (await looked.get<Now>("now")).services.map(({ rate }) => rate);
    const wanted = SERVICES.map((service) => (busy.logs[service].n - (service === "order" ? 0 : 1)) / 10);
    expect(await rates()).toEqual(wanted);
    expect(await rates()).toEqual(wanted);
  } finally {
    await looked.close();
    busy.remove();
  }
});
