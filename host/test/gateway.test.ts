/** The functions of serverless.yml in one process: routes, events, contexts, and what becomes of a function that fails. */
import { describe, expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from "aws-lambda";
import { readDescription, type FunctionDescription, type ServiceDescription } from "../gateway/description.ts";
import type { GatewayRequest } from "../gateway/event.ts";
import { Functions } from "../gateway/functions.ts";
import type { Handler } from "../gateway/local-function.ts";

const ROOT = join(import.meta.dirname, "..", "..");

const get = (path: string, more: Partial<GatewayRequest> = {}): GatewayRequest => ({
  method: "GET",
  path,
  query: "",
  rawHeaders: [],
  body: null,
  isBase64Encoded: false,
  sourceIp: "127.0.0.1",
  ...more,
});

function description(name: string, resource: string, more: Partial<FunctionDescription> = {}): FunctionDescription {
  return {
    name,
    handler: `${name}.handler`,
    timeout: 30_000,
    memoryMegabytes: 512,
    routes: [{ method: "GET", resource }],
    schedules: [],
    ...more,
  };
}

function functions(handlers: Record<string, Handler>, descriptions: readonly FunctionDescription[]): Functions {
  const service: ServiceDescription = { service: "shop", stage: "offline", environment: {}, functions: descriptions };
  return new Functions(service, async ({ handler }) => {
    const found = handlers[handler];
    if (found === undefined) throw new Error(`no ${handler}`);
    return found;
  });
}

/** @returns null where no function has the route */
async function ask(table: Functions, request: GatewayRequest): Promise<APIGatewayProxyResult | null> {
  const target = table.match(request.method, request.path);
  return target && table.run(target, request);
}

const answering =
  (body: (event: APIGatewayProxyEvent, context: Context) => unknown): Handler =>
  async (event, context) => ({ statusCode: 200, body: JSON.stringify(body(event as APIGatewayProxyEvent, context)) });

describe("the description", () => {
  test("says what `serverless print` says: routes, schedules, timeouts, environment", async () => {
    const { PATH = "" } = process.env;
    const printed = JSON.parse(
      execFileSync("serverless", ["print", "--format", "json", "--stage", "offline"], {
        cwd: ROOT,
        encoding: "utf8",
        env: {
          ...process.env,
          PATH: `${join(ROOT, "node_modules", ".bin")}:${PATH}`,
          NODE_OPTIONS: "",
          SLS_TELEMETRY_DISABLED: "1",
          SLS_NOTIFICATIONS_MODE: "off",
        },
      }),
    ) as {
      provider: { timeout: number; environment: object };
      functions: Record<string, { handler: string; timeout?: number; events: object[] }>;
    };
    const { functions: read, environment } = await readDescription(ROOT, "offline");
    expect(environment).toEqual(printed.provider.environment);
    expect(read.map(({ name, handler, timeout }) => [name, handler, timeout])).toEqual(
      Object.entries(printed.functions).map(([name, { handler, timeout }]) => [
        name,
        handler,
        (timeout ?? printed.provider.timeout) * 1_000,
      ]),
    );
    expect(
      read.map(({ routes, schedules }) => [
        ...routes.map(({ method, resource }) => ({ http: `${method} ${resource}` })),
        ...schedules.map((interval) => ({
          schedule: interval === 60_000 ? "rate(1 minute)" : `rate(${interval / 60_000} minutes)`,
        })),
      ]),
    ).toEqual(Object.values(printed.functions).map(({ events }) => events));
  }, 60_000);
});

describe("a route", () => {
  test("leads to its function, with its parameters decoded", async () => {
    const table = functions({ "a.handler": answering(({ resource, pathParameters }) => [resource, pathParameters]) }, [
      description("a", "/a/{x}/{y}"),
    ]);
    expect(JSON.parse((await ask(table, get("/a/one/%C3%A9%2F")))?.body ?? "")).toEqual([
      "/a/{x}/{y}",
      { x: "one", y: "é/" },
    ]);
  });

  test("without parameters has none", async () => {
    const table = functions({ "a.handler": answering(({ pathParameters }) => pathParameters) }, [
      description("a", "/a"),
    ]);
    expect((await ask(table, get("/a")))?.body).toBe("null");
  });

  test.each([
    ["GET", "/"],
    ["GET", "/a/x/"],
    ["GET", "/A/x"],
    ["POST", "/a/x"],
    ["BREW", "/a/x"],
    ["GET", "/a/%"],
  ])("%s %s leads nowhere", (method, path) => {
    const table = functions({ "a.handler": answering(() => "") }, [description("a", "/a/{x}")]);
    expect(table.match(method, path)).toBeNull();
  });

  test("a long parameter is the function's to judge", async () => {
    const table = functions({ "a.handler": answering(({ pathParameters }) => pathParameters?.["x"]?.length) }, [
      description("a", "/a/{x}"),
    ]);
    expect((await ask(table, get(`/a/${"x".repeat(5_000)}`)))?.body).toBe("5000");
  });
});

test("an event has the headers as they came, the last of several with one name, and all values of a query", async () => {
  const table = functions(
    {
      "a.handler": answering((event) => [
        event.headers,
        event.multiValueHeaders,
        event.queryStringParameters,
        event.multiValueQueryStringParameters,
        event.requestContext.identity.userAgent,
      ]),
    },
    [description("a", "/a")],
  );
  const request = get("/a", { rawHeaders: ["X-One", "1", "User-Agent", "me", "X-One", "2"], query: "q=1&q=2%20" });
  expect(JSON.parse((await ask(table, request))?.body ?? "")).toEqual([
    { "X-One": "2", "User-Agent": "me" },
    { "X-One": ["1", "2"], "User-Agent": ["me"] },
    { q: "2 " },
    { q: ["1", "2 "] },
    "me",
  ]);
});

test("each run has a context and a time of its own", async () => {
  const contexts: Context[] = [];
  const table = functions({ "a.handler": answering((_event, context) => contexts.push(context)) }, [
    description("a", "/a", { timeout: 5_000 }),
  ]);
  await ask(table, get("/a"));
  await ask(table, get("/a"));
  const [first, second] = contexts as [Context, Context];
  expect(first.awsRequestId).not.toBe(second.awsRequestId);
  expect([first.functionName, first.memoryLimitInMB]).toEqual(["shop-offline-a", "512"]);
  expect(first.getRemainingTimeInMillis()).toBeGreaterThan(0);
  expect(first.getRemainingTimeInMillis()).toBeLessThanOrEqual(5_000);
});

describe("a function that fails is told as the gateway tells it", () => {
  const failing = (handler: Handler, timeout = 30_000): Functions =>
    functions({ "a.handler": handler }, [description("a", "/a", { timeout })]);
  test.each<[string, Handler]>([
    ["throws", async () => Promise.reject(new Error("on purpose"))],
    [
      "throws at once",
      () => {
        throw new Error("on purpose");
      },
    ],
    ["answers nothing", async () => undefined],
    ["answers something else", async () => "text"],
  ])("one that %s: 502", async (_what, handler) => {
    expect(await ask(failing(handler), get("/a"))).toMatchObject({ statusCode: 502 });
  });

  test("one that takes longer than it may: 504", async () => {
    expect(
      await ask(
        failing(() => new Promise(() => undefined), 30),
        get("/a"),
      ),
    ).toMatchObject({ statusCode: 504 });
  });

  test("one that cannot be loaded: 502, and the next request tries again", async () => {
    let attempts = 0;
    const service: ServiceDescription = {
      service: "shop",
      stage: "offline",
      environment: {},
      functions: [description("a", "/a")],
    };
    const table = new Functions(service, async () => {
      if (attempts++ === 0) throw new Error("no such file");
      return answering(() => "now");
    });
    expect(await ask(table, get("/a"))).toMatchObject({ statusCode: 502 });
    expect(await ask(table, get("/a"))).toMatchObject({ statusCode: 200 });
  });
});

test("a function between others is dispatched with the same event, and what no function has is nobody's", async () => {
  const table = functions(
    { "a.handler": answering(({ path, headers, body, httpMethod }) => [httpMethod, path, headers, body]) },
    [description("a", "/a/{x}", { routes: [{ method: "POST", resource: "/a/{x}" }] })],
  );
  const answer = await table.dispatch({ method: "POST", path: "/a/1", headers: { "x-sign": "s" }, body: "{}" });
  expect(JSON.parse(answer?.body ?? "")).toEqual(["POST", "/a/1", { "x-sign": "s" }, "{}"]);
  expect(table.dispatch({ method: "POST", path: "/b", headers: {}, body: null })).toBeNull();
});
