import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { helpOf } from "log-replay/cli";
import { basket, PAID, stateOf, type Basket } from "../../functions/test/support/goods.ts";
import { Shop } from "../../functions/test/support/shop.ts";
import { shoplog as program } from "../program.ts";
import { copyOf, forge, redisOf, shoplog, spoil, told } from "./support.ts";

let shop: Shop;
let paid: Basket;
let failed: Basket;
const copies: { remove(): void }[] = [];

/** One shop for all: a checkout that was paid, and one that was refused for its credit. */
beforeAll(async () => {
  shop = await Shop.open();
  paid = await basket(shop);
  failed = await basket(shop, { credit: 4 });
  expect((await shop.post(`/orders/checkout/${paid.order}`)).status).toBe(200);
  expect((await shop.post(`/orders/checkout/${failed.order}`)).status).toBe(400);
}, 60_000);
afterAll(async () => {
  for (const copy of copies) copy.remove();
  await shop.close();
});

const run = (...args: string[]) => shoplog(shop.folder, args, redisOf(shop));
const json = (lines: readonly string[]) => lines.map((line) => JSON.parse(line) as Record<string, unknown>);

function damaged(): string {
  const copy = copyOf(shop.folder);
  copies.push(copy);
  return copy.folder;
}

/** The shop of this file is one process, with one request at a time: a segment for each service, a frame for each commit. */
function onlySegment(folder: string, service: string): { readonly path: string; readonly lines: readonly string[] } {
  const log = join(folder, "log", service);
  const [name = ""] = readdirSync(log).filter((candidate) => candidate.startsWith("segment-"));
  return { path: join(log, name), lines: readFileSync(join(log, name), "utf8").trimEnd().split("\n") };
}

describe("show", () => {
  test("a service's history, in the order of its commits", async () => {
    const { code, lines } = await run("show", "payment", "--json");
    expect(code).toBe(0);
    const records = json(lines);
    expect(records.map(({ n }) => n)).toEqual(records.map((_, i) => i + 1));
    expect(records.map(({ op }) => op)).toEqual([
      "create_user",
      "add_funds",
      "create_user",
      "add_funds",
      "charge",
      "charge",
    ]);
    expect(records[0]).toMatchObject({ service: "payment", epoch: 1, set: { [`user:${paid.user}`]: { credit: 0 } } });
    expect(records[0]).not.toHaveProperty("crc");
  });

  test("several services on one time line, by key, operation, commit and number", async () => {
    expect(json((await run("show", "--json")).lines).map(({ at }) => at)).toEqual(
      json((await run("show", "--json")).lines)
        .map(({ at }) => at)
        .sort(),
    );
    expect(
      json((await run("show", "stock", "--key", `item:${paid.item}`, "--json")).lines).map(({ op }) => op),
    ).toEqual(["create_item", "add", "reserve"]);
    expect(json((await run("show", "--key", "reservation:*", "--json")).lines).map(({ op }) => op)).toEqual([
      "reserve",
      "reserve",
      "release",
    ]);
    expect(json((await run("show", "--op", "saga_paid", "--json")).lines)).toHaveLength(1);
    expect(
      json((await run("show", "payment", "--since", "2", "--until", "1:4", "--json")).lines).map(({ n }) => n),
    ).toEqual([2, 3, 4]);
    expect(json((await run("show", "payment", "--last", "2", "--json")).lines).map(({ n }) => n)).toEqual([5, 6]);
    expect((await run("show", "--until", "2020-01-01")).lines).toEqual([]);
  });

  test("for people: a line a commit, short ids, colours only where they are wanted", async () => {
    const plain = (await run("show", "stock", "--op", "reserve")).lines[0];
    expect(plain).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} {2} *1:\d+ {2}reserve +saga=s[\w-]{20} {2}reservation:s[\w-]{20} \{"state":"reserved","lines":\[\{"item":"[0-9a-f]{8}…","quantity":3,/,
    );
    expect((await shoplog(shop.folder, ["show", "stock"], { FORCE_COLOR: "1" })).stdout).toContain("\u001b[1m");
  });

  test("`| head` ends it without an error", async () => {
    const { code, stdout, stderr } = await told(
      "sh",
      ["-c", "node_modules/.bin/node tools/main.ts show --json | head -1; true"],
      { DATA_DIR: shop.folder },
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(json(stdout.split("\n").filter(Boolean))).toHaveLength(1);
  });
});

describe("verify and audit", () => {
  test("nothing is wrong with what the shop wrote", async () => {
    const verified = await run("verify");
    expect(verified).toMatchObject({ code: 0, stderr: "" });
    expect(verified.lines.map((line) => line.split(":")[0])).toEqual([
      "order    sound",
      "stock    sound",
      "payment  sound",
    ]);
    const audited = await run("audit", "--json");
    expect(audited.code).toBe(0);
    expect(JSON.parse(audited.stdout)).toEqual({
      checkouts: { paid: 1, failed: 1, open: 0 },
      credit: { putIn: 104, takenOut: 0, spent: 15, turnedBack: 0, left: 89 },
      stock: { putIn: 20, takenOut: 0, spent: 3, turnedBack: 0, left: 17 },
      violations: [],
    });
  });

  test("a flipped bit: file and line, and exit code 1; audit will not add up what is damaged", async () => {
    const folder = damaged();
    const place = spoil(
      folder,
      "stock",
      (line) => line.includes('"reserved"'),
      (line) => line.replace('"reserved"', '"reservee"'),
    );
    const { code, stdout } = await shoplog(folder, ["verify"]);
    expect(code).toBe(1);
    expect(stdout).toContain(`damage  ${place}: a bad checksum`);
    const audited = await shoplog(folder, ["audit"]);
    expect(audited.code).toBe(2);
    expect(audited.stderr).toContain(place);
  });

  test("a torn frame is a note: it is what a crash leaves", async () => {
    const folder = damaged();
    const { path, lines } = onlySegment(folder, "payment");
    truncateSync(path, lines.join("\n").length - 5);
    expect(await shoplog(folder, ["verify", "payment"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("the last frame is torn") as unknown,
    });
  });

  test("a record that breaks the rules of its operation, with checksums that fit: file and line, in each service", async () => {
    const folder = damaged();
    const double = (record: Record<string, unknown>): Record<string, unknown> => {
      const set = Object.entries(record["set"] as Record<string, { stock?: number; credit?: number; state?: string }>);
      const other = set.map(([key, row]) => [
        key,
        { ...row, ...(row.stock !== undefined && { stock: 1 }), ...(row.credit !== undefined && { credit: 1 }) },
      ]);
      return { ...record, set: Object.fromEntries(other) as unknown };
    };
    const places = {
      stock: forge(folder, "stock", (line) => line.includes('"op":"reserve"'), double),
      payment: forge(folder, "payment", (line) => line.includes('"op":"charge"'), double),
      order: forge(
        folder,
        "order",
        (line) => line.includes('"op":"saga_paid"'),
        (record) => ({ ...record, op: "checkout" }),
      ),
    };
    for (const [service, place] of Object.entries(places)) {
      const { code, stdout } = await shoplog(folder, ["verify", service]);
      expect([service, code]).toEqual([service, 1]);
      expect(stdout).toContain(`damage  ${place}: `);
      expect(stdout).not.toContain("checksum");
    }
  });

  test("stock that was never taken, and credit that was: audit names the row, what was taken and what is held", async () => {
    const folder = damaged();
    const untouched = (member: string, value: number) => (record: Record<string, unknown>) => {
      const set = Object.entries(record["set"] as Record<string, Record<string, unknown>>);
      return {
        ...record,
        set: Object.fromEntries(set.map(([key, row]) => [key, member in row ? { ...row, [member]: value } : row])),
      };
    };
    forge(folder, "stock", (line) => line.includes('"op":"reserve"'), untouched("stock", 10));
    forge(folder, "payment", (line) => line.includes('"op":"charge"'), untouched("credit", 84));
    const { code, stdout } = await shoplog(folder, ["audit"]);
    expect(code).toBe(1);
    expect(stdout).toContain(`0 of the stock of item:${paid.item} were taken by checkouts, and these hold 3 of it`);
    expect(stdout).toContain(`16 of the credit of user:${paid.user} were taken by checkouts, and these hold 15 of it`);
  });

  test("a log that lost its end is sound by itself; audit tells which checkout was not paid for", async () => {
    const folder = damaged();
    const { path, lines } = onlySegment(folder, "payment");
    writeFileSync(
      path,
      lines
        .slice(0, 4)
        .map((line) => `${line}\n`)
        .join(""),
    );
    expect(await shoplog(folder, ["verify", "payment"])).toMatchObject({ code: 0 });
    const { code, stdout } = await shoplog(folder, ["audit"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /violation {2}checkout \S+ is paid, and should hold 15 of credit and stock 3×\S+: it holds 0 of credit and stock 3×/,
    );
  });
});

test("state: now, at a commit and at a time, without a Redis", async () => {
  const key = `user:${paid.user}`;
  const credit = async (...args: string[]) =>
    json((await shoplog(shop.folder, ["state", "payment", "--key", key, "--json", ...args])).lines).map(
      ({ value }) => (value as { credit: number }).credit,
    );
  expect(await credit()).toEqual([85]);
  expect(await credit("--at", "2")).toEqual([100]);
  expect(await credit("--at", "1:1")).toEqual([0]);
  expect(await credit("--at", "2020-01-01")).toEqual([]);
  expect((await run("state", "payment", "--at", "99")).stderr).toBe(
    "error: there is no commit 99: the history ends with 1:6\n",
  );
});

describe("sagas", () => {
  test("all, and one checkout's whole story over the three logs", async () => {
    const { lines } = await run("sagas", "--json");
    expect(json(lines)).toMatchObject([
      { order: paid.order, state: "paid", standing: "done" },
      { order: failed.order, state: "failed", failure: { code: "insufficient_credit" } },
    ]);
    const [, { saga }] = json(lines) as [unknown, { saga: string }];
    const story = json((await run("sagas", saga.slice(0, 13), "--json")).lines);
    expect(story.map(({ service, op }) => `${String(service)} ${String(op)}`)).toEqual([
      "order checkout",
      "stock reserve",
      "payment charge",
      "order saga_abandoned",
      "stock release",
      "order saga_closed",
    ]);
    expect((await run("sagas", "--open", "--json")).lines).toEqual([]);
    expect((await run("sagas")).lines.at(-1)).toBe("2 checkouts: 0 open, 0 of them past the deadline");
  });

  test("those of one standing only, and not for one checkout", async () => {
    const refusal = {
      code: 2,
      stdout: "",
      stderr: "error: --open, --stuck and --done exclude each other, and none is for one checkout\n",
    };
    for (const args of [
      ["--open", "--done"],
      ["--stuck", "--done"],
      ["--open", "--stuck"],
      ["nobody", "--open"],
    ])
      expect(await run("sagas", ...args)).toMatchObject(refusal);
  });

  test("of none: an error", async () => {
    expect(await run("sagas", "nobody")).toMatchObject({
      code: 2,
      stderr: "error: no checkout nobody is in the logs\n",
    });
  });
});

describe("diff", () => {
  test("the live Redis and the log are equal, until somebody changes one behind the other's back", async () => {
    expect(await run("diff")).toMatchObject({ code: 0 });
    const key = `item:${paid.item}`;
    const outside = new Redis(shop.redis.stock.url);
    const image = (await outside.get(key)) ?? "";
    await outside.set(key, image.replace(/"stock":\d+/, '"stock":99'));
    const changed = await run("diff");
    expect(changed.code).toBe(1);
    expect(changed.stdout).toContain(key);
    expect(changed.stdout).toMatch(/stock +1 difference: .*\npayment +equal/);
    expect((await run("diff", "stock", "--json")).code).toBe(1);
    await outside.set(key, image);
    outside.disconnect();
    const folder = damaged();
    const { code, stdout } = await shoplog(folder, ["diff", "stock"], redisOf(shop));
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("equal") as unknown });
    await expect(shoplog(folder, ["diff", "stock", "--redis", shop.redis.payment.url])).resolves.toMatchObject({
      code: 2,
      stderr: "error: the Redis of stock (--redis): Redis holds the state of another log\n",
    });
    const wrong = async (url: string, ...args: string[]): Promise<void> => {
      expect(await shoplog(folder, args, { REDIS_URL_STOCK: url })).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/^error: the Redis of stock \(REDIS_URL_STOCK\): .+\n$/) as unknown,
      });
    };
    for (const url of ["nonsense", "redis://127.0.0.1:1", "redis://127.0.0.1/x"]) await wrong(url, "diff", "stock");
    await wrong("redis://127.0.0.1/x", "restore", "stock", "--at", "1", "--yes");
    expect(await shoplog(folder, ["diff", "stock"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("no Redis of stock is known") as unknown,
    });
  });
});

describe("wrong arguments", () => {
  test.each([
    [["show", "shipping"], 'there is no service "shipping": order, stock, payment'],
    [["show", "--since", "3"], "name one service, or give a time"],
    [["state"], "missing required argument 'service'"],
    [["state", "stock", "--at", "yesterday"], '"yesterday" is neither a commit'],
    [["restore", "stock", "--at", "2026-02-30"], 'there is no such time as "2026-02-30"'],
    [["restore"], "required option '--at <moment>' not specified"],
    [["restore", "stock", "--at", "1"], "nobody is here to be asked: pass --yes"],
    [["shov"], "unknown command 'shov'"],
  ])("%j", async (args, why) => {
    const { code, stderr } = await run(...args);
    expect(stderr).toContain(why);
    expect(code).toBe(2);
  });

  test("a data folder that is none is named in full", async () => {
    const { code, stderr } = await shoplog("nowhere", ["show"]);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining(`and it is ${join(import.meta.dirname, "..", "..", "nowhere")} now`) as unknown,
    ]);
  });

  test("a data folder that is none", async () => {
    expect(await shoplog("/nowhere", ["show"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("there is no /nowhere/log/order") as unknown,
    });
  });

  test.each([
    [{}, /^error: SQS_ENDPOINT is not set, .*: is the shop running\? Only a shop with SAGA=events has queues\.$/],
    [
      { SQS_ENDPOINT: "nope" },
      /^error: SQS_ENDPOINT=nope is not an address. Only a shop with SAGA=events has queues\.$/,
    ],
    [
      { QUEUE_URL_ORDER: "nope" },
      /^error: QUEUE_URL_ORDER=nope is not an address. Only a shop with SAGA=events has queues\.$/,
    ],
    [
      { SQS_ENDPOINT: "http://127.0.0.1:1" },
      /^error: the queue of order \(SQS_ENDPOINT\): GetQueueAttributes: the queue does not answer: connect ECONNREFUSED 127\.0\.0\.1:1$/,
    ],
  ])("queues that cannot be had are told with their setting: %j", async (environment, why) => {
    for (const args of [["queues"], ["redrive", "order"]]) {
      const { code, stderr } = await shoplog("/nowhere", args, environment);
      expect(stderr.trimEnd()).toMatch(why);
      expect(code).toBe(2);
    }
  });

  test("a port that there is not", async () => {
    for (const port of ["65536", "99999", "-1"])
      expect(await run("console", "--port", port)).toMatchObject({
        code: 2,
        stderr: "error: option '--port <port>': a port from 0 to 65535 is needed\n",
      });
  });

  test("each command's help has an example, and each is in docs/tools.md", () => {
    const { commands } = program;
    const documented = [
      ...readFileSync(join(import.meta.dirname, "..", "..", "docs", "tools.md"), "utf8").matchAll(/^\| `(\w+)/gm),
    ].map(([, name]) => name);
    expect(documented).toEqual(commands.map(({ name }) => name));
    for (const command of commands) expect(helpOf(program, command)).toContain(`$ npx shoplog ${command.name}`);
  });
});

test("a backup for which there is no room leaves no folder, and names the one that was asked for", async () => {
  const folder = join(damaged(), "backup");
  const command = `ulimit -f 1; trap '' XFSZ; exec node_modules/.bin/node tools/main.ts backup ${folder}`;
  const { code, stderr } = await told("bash", ["--norc", "-c", command], { DATA_DIR: shop.folder });
  expect(code).toBe(2);
  expect(stderr).toMatch(new RegExp(`^error: copying into ${folder}/log/order: .*EFBIG`));
  expect(stderr).not.toContain("/.order-");
  expect(existsSync(folder)).toBe(false);
});

test("none of it has changed anything", async () => {
  expect(await stateOf(shop, paid)).toEqual(PAID);
});
