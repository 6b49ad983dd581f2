/**
 * One contract on every host: requests as bytes on a socket, and what has to come back, on `npm start`, on
 * `npm run serve`, on the emulator (`npm run test:local`), and on the deployed API whose base URL SHOP_DEPLOYED names.
 */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { randomUUID } from "node:crypto";
import type { Shop } from "../host/test/support/shop.ts";
import { raw, type RawAnswer, type RawOptions } from "./support/raw-http.ts";
import { DEPLOYED, OWN_REDIS, shopUnderTest } from "./support/shop-under-test.ts";

const MINUTE = 60_000;
const PAGE = "https://shop.example";
/** How often a request is sent again to functions that are being started. */
const COLD_STARTS = 10;

let shop: Shop;
let base: URL;

beforeAll(async () => {
  shop = await shopUnderTest({ environment: { LOG_LEVEL: "error", CORS_ORIGINS: `${PAGE},http://localhost:3000` } });
  base = new URL(shop.url);
  // A deployed one restores its state when it is first asked.
  for (let status = 0; status !== 200;) ({ status } = await send("GET", "/health"));
}, 2 * MINUTE);

afterAll(() => shop.stop(), MINUTE);

/** A request of HTTP/1.1. @param more header lines */
function lines(method: string, path: string, more: readonly string[] = [], body = ""): string {
  const length = body === "" ? [] : [`content-length: ${Buffer.byteLength(body)}`];
  return [
    `${method} ${base.pathname.replace(/\/$/, "")}${path} HTTP/1.1`,
    `host: ${base.host}`,
    ...more,
    ...length,
    "",
    body,
  ].join("\r\n");
}

async function send(
  method: string,
  path: string,
  more: readonly string[] = [],
  body = "",
  options: RawOptions = {},
): Promise<RawAnswer> {
  for (let again = DEPLOYED ? COLD_STARTS : 0; ; again--) {
    const [answer] = await raw(base, [lines(method, path, more, body)], { head: method === "HEAD", ...options });
    // A function whose process has just started may not have seen the state in its time: nothing was done.
    if (again === 0 || answer?.status !== 503 || !answer.body.includes('"code":"restoring"')) return answer!;
  }
}

async function newItem(): Promise<string> {
  return (JSON.parse((await send("POST", "/stock/item/create/5")).body) as { item_id: string }).item_id;
}

const stockOf = async (item: string): Promise<number> =>
  (JSON.parse((await send("GET", `/stock/find/${item}`)).body) as { stock: number }).stock;

/** The one form of every error. */
function expectError(answer: RawAnswer, status: number, code: string): void {
  expect([answer.status, answer.headers["content-type"]?.split(";")[0], answer.body]).toEqual([
    status,
    "application/json",
    expect.stringMatching(/^\{/),
  ]);
  expect(JSON.parse(answer.body)).toEqual({ error: { code, message: expect.stringMatching(/./) as unknown } });
}

/** What a host of this project does, and a gateway of somebody else's need not: its own server reads the bytes. */
const own = DEPLOYED ? test.skip : test;

describe("paths", () => {
  test("a slash at the end is no other path", async () => {
    const item = await newItem();
    expect((await send("GET", `/stock/find/${item}/`)).status).toBe(200);
    expect((await send("POST", `/stock/add/${item}/3/`)).body).toBe("3");
  });

  own("two slashes at the end are", async () => {
    expectError(await send("GET", `/stock/find/${await newItem()}//`), 404, "unknown_path");
  });

  test.each(["a%2fb", "a%00b", "__proto__%20", "%25"])("an id of %s is 400 invalid_id", async (id) => {
    const answer = await send("GET", `/stock/find/${id}`);
    // A gateway may take an escaped slash for one that parts a path.
    if (DEPLOYED && id.includes("%2f")) expect([400, 404]).toContain(answer.status);
    else expectError(answer, 400, "invalid_id");
  });

  test.each(["%zz", "%", "%ff", "%e0%80"])("an id of %s, which is no escape, is 400", async (id) => {
    const answer = await send("GET", `/stock/find/${id}`);
    expect(answer.status).toBe(400);
    if (!DEPLOYED) expectError(answer, 400, "invalid_id");
  });

  test("an id of 9,000 characters is 400 invalid_id", async () => {
    expectError(await send("GET", `/stock/find/${"x".repeat(9_000)}`), 400, "invalid_id");
  });

  test.each(["constructor", "__proto__", "toString", "valueOf", "hasOwnProperty"])(
    "an id, a key and a query named %s are like any other",
    async (name) => {
      expectError(
        await send("GET", `/stock/find/${name}?${name}=1`, [`${name}: 1`, `${name}: 2`]),
        400,
        "unknown_item",
      );
      expect((await send("POST", "/stock/item/create/1", [`idempotency-key: ${name}`])).status).toBe(200);
    },
  );

  test("escapes that mean the same are one request under one key", async () => {
    const item = await newItem();
    const key = [`idempotency-key: ${randomUUID()}`];
    expect((await send("POST", `/stock/add/${item}/1`, key)).body).toBe("1");
    expect((await send("POST", `/stock/add/${item}/%31`, key)).body).toBe("1");
    expect((await send("POST", `/stock/add/${item}/1/`, key)).body).toBe("1");
    expectError(await send("POST", `/stock/add/${item}/2`, key), 422, "idempotency_key_reused");
    expect(await stockOf(item)).toBe(1);
  });

  test.each([
    ["GET", "/nowhere"],
    ["GET", "/"],
    ["GET", "/stock/find"],
    ["GET", "/stock/find/a/b"],
    ["POST", "/stock/find/a"],
    ["DELETE", "/stock/find/a"],
    ["HEAD", "/stock/find/a"],
    ["PUT", "/stock/add/a/1"],
    ["GET", "/constructor"],
    ["GET", "/__proto__"],
  ])("%s %s is 404 unknown_path, and tells of no other route", async (method, path) => {
    const answer = await send(method, path);
    if (method === "HEAD") expect([answer.status, answer.body]).toEqual([404, ""]);
    else expectError(answer, 404, "unknown_path");
  });

  own("the whole address as a target is the path in it", async () => {
    const item = await newItem();
    const [answer] = await raw(base, [
      `GET http://elsewhere.example/stock/find/${item}?x HTTP/1.1\r\nhost: ${base.host}\r\n\r\n`,
    ]);
    expect(answer?.status).toBe(200);
  });

  own.each(["stock/find/a", "*", "/stock/find/a#b"])("the target %s is 400 bad_request", async (target) => {
    const [answer] = await raw(base, [`GET ${target} HTTP/1.1\r\nhost: ${base.host}\r\n\r\n`]);
    expectError(answer!, 400, "bad_request");
  });
});

describe("headers", () => {
  test.each(["constructor", "__proto__", "toString", "valueOf", "hasOwnProperty", "__defineGetter__"])(
    "one named %s changes nothing",
    async (name) => {
      const item = await newItem();
      expect((await send("POST", `/stock/add/${item}/1`, [`${name}: 1`])).body).toBe("1");
      expect((await send("GET", `/stock/find/${item}`, [`${name}: 1`, `${name}: 2`])).status).toBe(200);
    },
  );

  test("two different Idempotency-Keys are 400 and do nothing; the same one twice is one", async () => {
    const item = await newItem();
    const [a, b] = [randomUUID(), randomUUID()];
    expectError(
      await send("POST", `/stock/add/${item}/1`, [`Idempotency-Key: ${a}`, `idempotency-key: ${b}`]),
      400,
      "invalid_idempotency_key",
    );
    expect(await stockOf(item)).toBe(0);
    expect((await send("POST", `/stock/add/${item}/1`, [`Idempotency-Key: ${a}`, `idempotency-key: ${a}`])).body).toBe(
      "1",
    );
  });

  test.each([
    "foo",
    "multipart/form-data",
    "application/json",
    "text/plain; charset=none",
    "application/x-www-form-urlencoded",
  ])("Content-Type: %s changes nothing, with a body or without", async (type) => {
    const item = await newItem();
    expect((await send("POST", `/stock/add/${item}/1`, [`content-type: ${type}`])).body).toBe("1");
    expect((await send("POST", `/stock/add/${item}/1`, [`content-type: ${type}`], "{not json")).body).toBe("2");
  });

  own("HTTP/1.1 without Host is 400 bad_request, HTTP/1.0 needs none", async () => {
    const [answer] = await raw(base, ["GET /stock/find/a HTTP/1.1\r\n\r\n"]);
    expectError(answer!, 400, "bad_request");
    const [old] = await raw(base, ["GET /stock/find/a HTTP/1.0\r\n\r\n"]);
    expectError(old!, 400, "unknown_item");
  });

  own.each([
    ["no HTTP at all", "hello\r\n\r\n", 400, "bad_request"],
    ["a method that does not exist", "FETCH / HTTP/1.1\r\nhost: x\r\n\r\n", 400, "bad_request"],
    [
      "two lengths",
      "POST /stock/item/create/1 HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
      400,
      "bad_request",
    ],
    [
      "a length and chunks",
      "POST /stock/item/create/1 HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
      "bad_request",
    ],
    [
      "more headers than there is room for",
      `GET / HTTP/1.1\r\nhost: x\r\nx: ${"x".repeat(20_000)}\r\n\r\n`,
      431,
      "headers_too_large",
    ],
    [
      "a chunk that says no length",
      "POST /stock/item/create/1 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
      400,
      "bad_request",
    ],
    [
      "a chunk that is longer than it says",
      "POST /stock/item/create/1 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcdefgh\r\n",
      400,
      "bad_request",
    ],
    ["an expectation that nobody has", "GET / HTTP/1.1\r\nhost: x\r\nexpect: cake\r\n\r\n", 417, "expectation_failed"],
    ["CONNECT", "CONNECT shop.example:443 HTTP/1.1\r\nhost: shop.example\r\n\r\n", 400, "bad_request"],
  ])("%s has an answer in the usual form", async (_what, bytes, status, code) => {
    const [answer] = await raw(base, [bytes]);
    expectError(answer!, status, code);
  });
});

describe("bodies", () => {
  own("one of 5 MB is 413, which its sender can read after it has sent all", async () => {
    const piece = Buffer.alloc(65_536);
    const whole = Array.from({ length: 80 }, () => piece);
    const [answer] = await raw(base, [
      lines("POST", "/stock/item/create/1", [`content-length: ${80 * piece.length}`]),
      ...whole,
    ]);
    expectError(answer!, 413, "body_too_large");
    const chunks = whole.flatMap((bytes) => ["10000\r\n", bytes, "\r\n"]);
    const [chunked] = await raw(base, [
      lines("POST", "/stock/item/create/1", ["transfer-encoding: chunked"]),
      ...chunks,
      "0\r\n\r\n",
    ]);
    expectError(chunked!, 413, "body_too_large");
  });

  own("who asks first is told 413 without sending it, or to go on", async () => {
    const [refused] = await raw(base, [
      lines("POST", "/stock/item/create/1", ["expect: 100-continue", "content-length: 5000000"]),
    ]);
    expectError(refused!, 413, "body_too_large");
    const [taken] = await raw(base, [
      lines("POST", "/stock/item/create/1", ["expect: 100-continue", "content-length: 2"]),
      "{}",
    ]);
    expect(taken?.status).toBe(200);
  });
});

describe("connections", () => {
  own("of pipelined requests a read sees the write before it", async () => {
    const item = await newItem();
    for (let round = 1; round <= 5; round++) {
      const requests = [
        lines("POST", `/stock/add/${item}/1`),
        lines("GET", `/stock/find/${item}`),
        lines("POST", `/stock/add/${item}/1`, [], "{}"),
        lines("GET", `/stock/find/${item}`),
      ];
      const answers = await raw(base, [requests.join("")], { answers: 4 });
      expect(answers.map(({ body }) => body)).toEqual([
        String(2 * round - 1),
        `{"stock":${2 * round - 1},"price":5}`,
        String(2 * round),
        `{"stock":${2 * round},"price":5}`,
      ]);
    }
  });

  own("what cannot be read behind a request that can is answered behind it", async () => {
    const item = await newItem();
    const answers = await raw(base, [`${lines("POST", `/stock/add/${item}/1`)}nonsense\r\n\r\n`], { answers: 2 });
    expect(answers[0]?.body).toBe("1");
    expectError(answers[1]!, 400, "bad_request");
  });

  own("a client that closes its side once it has asked gets its answer", async () => {
    const item = await newItem();
    expect((await send("POST", `/stock/add/${item}/1`, [], "", { halfClose: true })).body).toBe("1");
  });
});

describe("amounts of 0", () => {
  test("add and subtract answer the stock, add_funds and pay like any other; a quantity of 0 is none", async () => {
    const item = await newItem();
    await send("POST", `/stock/add/${item}/7`);
    const { user_id: user } = JSON.parse((await send("POST", "/payment/create_user")).body) as { user_id: string };
    await send("POST", `/payment/add_funds/${user}/9`);
    expect((await send("POST", `/stock/add/${item}/0`)).body).toBe("7");
    expect((await send("POST", `/stock/subtract/${item}/0`)).body).toBe("7");
    expect((await send("POST", `/payment/pay/${user}/0`)).body).toBe("9");
    expect((await send("POST", `/payment/add_funds/${user}/0`)).body).toBe('{"done":true}');
    expectError(await send("POST", "/stock/add/nowhere/0"), 400, "unknown_item");
    const { order_id: order } = JSON.parse((await send("POST", `/orders/create/${user}`)).body) as { order_id: string };
    expectError(await send("POST", `/orders/addItem/${order}/${item}/0`), 400, "invalid_number");
  });
});

describe("CORS", () => {
  const asked = ["access-control-request-method: POST", "access-control-request-headers: idempotency-key"];

  test("a page of a named origin may read answers and errors; one of another may not", async () => {
    for (const path of ["/stock/find/a", "/health", ...(DEPLOYED ? [] : ["/nowhere"])]) {
      expect((await send("GET", path, [`origin: ${PAGE}`])).headers).toMatchObject({
        "access-control-allow-origin": PAGE,
        vary: "Origin",
      });
      const { headers } = await send("GET", path, ["origin: https://else.example"]);
      expect([
        headers["access-control-allow-origin"],
        headers["access-control-allow-credentials"],
        headers["vary"],
      ]).toEqual([undefined, undefined, "Origin"]);
    }
  });

  test("a preflight from a named origin is answered", async () => {
    const { status, headers } = await send("OPTIONS", "/orders/checkout/0", [`origin: ${PAGE}`, ...asked]);
    const list = (name: string): string[] => (headers[name] ?? "").toLowerCase().split(/, */);
    expect([status, headers["access-control-allow-origin"]]).toEqual([DEPLOYED ? status : 200, PAGE]);
    expect(list("access-control-allow-methods")).toContain("post");
    expect(list("access-control-allow-headers")).toEqual(expect.arrayContaining(["content-type", "idempotency-key"]));
  });

  own("a preflight from any other origin is 404 like any OPTIONS", async () => {
    expectError(
      await send("OPTIONS", "/orders/checkout/0", ["origin: https://else.example", ...asked]),
      404,
      "unknown_path",
    );
    expectError(await send("OPTIONS", "/orders/checkout/0", [`origin: ${PAGE}`]), 404, "unknown_path");
    expectError(await send("OPTIONS", "/nowhere", [`origin: ${PAGE}`, ...asked]), 404, "unknown_path");
  });
});

describe("health", () => {
  test.each(["order", "stock", "payment"])("the %s service says that it serves, and its epoch", async (service) => {
    const answer = await send("GET", `/${service === "order" ? "orders" : service}/health`);
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      200,
      { status: "serving", epoch: expect.any(Number) as unknown },
    ]);
    expect((JSON.parse(answer.body) as { epoch: number }).epoch).toBeGreaterThan(0);
  });

  test("the shop says it of all three", async () => {
    const answer = await send("GET", "/health");
    const serving = { status: "serving", epoch: expect.any(Number) as unknown };
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      200,
      { status: "serving", services: { order: serving, stock: serving, payment: serving } },
    ]);
  });

  (OWN_REDIS ? test : test.skip)(
    "while a Redis hangs its service is 503 and says why, and so is the shop; the others serve",
    async () => {
      const pid = shop.pid("redis-stock");
      process.kill(pid, "SIGSTOP");
      try {
        for (const [path, status] of [
          ["/stock/health", 503],
          ["/health", 503],
          ["/payment/health", 200],
        ] as const)
          expect([path, (await send("GET", path)).status]).toEqual([path, status]);
        const answer = await send("GET", "/stock/health");
        expect(answer.headers["retry-after"]).toMatch(/^[1-9]/);
        expect(JSON.parse(answer.body)).toMatchObject({
          status: "unavailable",
          error: {
            code: expect.stringMatching(/./) as unknown,
            message: expect.stringContaining("REDIS_URL_STOCK") as unknown,
            retryable: true,
          },
        });
      } finally {
        process.kill(pid, "SIGCONT");
      }
      for (let status = 0; status !== 200;) ({ status } = await send("GET", "/health"));
    },
    MINUTE,
  );
});
