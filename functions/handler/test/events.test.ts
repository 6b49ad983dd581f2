/** AWS's documented sample events, with this shop's paths: each form is served right, and what is none of them is refused. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import type { APIGatewayProxyResult, Context } from "aws-lambda";
import { Shop } from "../../test/support/shop.ts";
import { lambdaContext } from "../../test/support/invocation.ts";
import { newItem } from "../../test/support/goods.ts";
import { sign, SIGNATURE_HEADER } from "../../calls/signature.ts";

type Handler = (event: unknown, context: Context) => Promise<APIGatewayProxyResult>;
const SECRET = "a secret of the tests' own";

let shop: Shop;
let item: string;
let add: Handler;
beforeAll(async () => {
  shop = await Shop.open();
  add = (await import("../../stock/add.ts")).handler as unknown as Handler;
});
afterAll(() => shop.close());
beforeEach(async () => void (item = await newItem(shop, { stock: 10, price: 1 })));

let keys = 0;
const newKey = (): string => `event-${++keys}`;
const invoke = (event: unknown, handler = add): Promise<APIGatewayProxyResult> =>
  handler(event, lambdaContext("stock-add"));
const codeOf = ({ statusCode, body }: APIGatewayProxyResult): [number, string] => [
  statusCode,
  (JSON.parse(body) as { error: { code: string } }).error.code,
];

/** docs.aws.amazon.com/apigateway: "Create AWS Lambda proxy integrations for HTTP APIs", payload format 2.0. */
function payload2(amount: string, key: string | null, { stage = "$default", parameters = true } = {}): object {
  const prefix = stage === "$default" ? "" : `/${stage}`;
  return {
    version: "2.0",
    routeKey: parameters ? "POST /stock/add/{item_id}/{amount}" : "$default",
    rawPath: `${prefix}/stock/add/${item}/${amount}`,
    rawQueryString: "parameter1=value1&parameter1=value2&parameter2=value",
    cookies: ["cookie1", "cookie2"],
    headers: { header1: "value1", header2: "value1,value2", ...(key === null ? {} : { "idempotency-key": key }) },
    queryStringParameters: { parameter1: "value1,value2", parameter2: "value" },
    requestContext: {
      accountId: "123456789012",
      apiId: "api-id",
      domainName: "id.execute-api.us-east-1.amazonaws.com",
      domainPrefix: "id",
      http: {
        method: "POST",
        path: `${prefix}/stock/add/${item}/${amount}`,
        protocol: "HTTP/1.1",
        sourceIp: "192.0.2.1",
        userAgent: "agent",
      },
      requestId: "id",
      routeKey: "$default",
      stage,
      time: "12/Mar/2020:19:03:58 +0000",
      timeEpoch: 1583348638390,
    },
    ...(parameters ? { pathParameters: { item_id: item, amount } } : {}),
    isBase64Encoded: false,
  };
}

/** docs.aws.amazon.com/elasticloadbalancing: "Lambda functions as targets", with and without multi-value headers. */
function loadBalancer(
  amount: string,
  headers: Record<string, string>,
  lists: boolean,
  path = `/stock/add/${item}/${amount}`,
): object {
  const sent: Record<string, string> = {
    accept: "text/html,application/xhtml+xml",
    host: "lambda-alb-123578498.us-east-1.elb.amazonaws.com",
    "x-forwarded-for": "72.12.164.125",
    ...headers,
  };
  return {
    requestContext: {
      elb: {
        targetGroupArn: "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/lambda/6d0ecf831eec9f09",
      },
    },
    httpMethod: "POST",
    path,
    ...(lists
      ? {
          multiValueQueryStringParameters: {},
          multiValueHeaders: Object.fromEntries(Object.entries(sent).map(([name, value]) => [name, [value]])),
        }
      : { queryStringParameters: {}, headers: sent }),
    body: "",
    isBase64Encoded: false,
  };
}

const forms: readonly [string, (amount: string, key: string) => object][] = [
  ["payload 2.0", (amount, key) => payload2(amount, key)],
  ["payload 2.0 of a stage", (amount, key) => payload2(amount, key, { stage: "prod" })],
  ["payload 2.0 of a route for everything", (amount, key) => payload2(amount, key, { parameters: false })],
  ["a load balancer's", (amount, key) => loadBalancer(amount, { "idempotency-key": key }, false)],
  ["a load balancer's with lists", (amount, key) => loadBalancer(amount, { "idempotency-key": key }, true)],
];

describe.each(forms)("an event of %s form", (_form, event) => {
  test("has one effect under its key, whichever form repeats it, and another request with the key is 422", async () => {
    const key = newKey();
    expect(await invoke(event("1", key))).toMatchObject({ statusCode: 200, body: "11" });
    expect(await invoke(event("1", key))).toMatchObject({ statusCode: 200, body: "11" });
    expect(await shop.post(`/stock/add/${item}/1`, { headers: { "Idempotency-Key": key } })).toMatchObject({
      body: "11",
    });
    expect(codeOf(await invoke(event("7", key)))).toEqual([422, "idempotency_key_reused"]);
    expect((await shop.get(`/stock/find/${item}`)).json).toEqual({ stock: 11, price: 1 });
  });
});

test.each(forms)(
  "two keys that %s form joins into one line are refused, one that came twice is one",
  async (_form, event) => {
    const key = newKey();
    for (const joined of [`${key},${newKey()}`, `${key}, ${newKey()}`])
      expect(codeOf(await invoke(event("1", joined)))).toEqual([400, "invalid_idempotency_key"]);
    expect((await invoke(event("1", `${key},${key}`))).body).toBe("11");
    expect((await invoke(event("1", `${key}, ${key}`))).body).toBe("11");
    expect((await shop.get(`/stock/find/${item}`)).json).toEqual({ stock: 11, price: 1 });
  },
);

test.each([
  ["payload 2.0", () => payload2("1", null)],
  ["a load balancer's", () => loadBalancer("1", {}, true)],
])("an event of %s form with another method, from a route for all of them, does nothing", async (_form, event) => {
  for (const method of ["GET", "PUT", "HEAD", "OPTIONS"]) {
    const other = JSON.parse(JSON.stringify(event()).replaceAll('"POST"', `"${method}"`)) as unknown;
    expect(codeOf(await invoke(other))).toEqual([404, "unknown_path"]);
  }
  expect((await shop.get(`/stock/find/${item}`)).json).toEqual({ stock: 10, price: 1 });
});

test("a load balancer that sends lists is answered in lists", async () => {
  const result = await invoke(loadBalancer("1", {}, true));
  expect(result).toMatchObject({
    statusCode: 200,
    multiValueHeaders: { "content-type": ["text/plain; charset=utf-8"] },
    isBase64Encoded: false,
  });
  expect(result.headers).toBeUndefined();
});

test("a function that a load balancer's rule sends another's path does nothing", async () => {
  for (const path of [`/stock/subtract/${item}/1`, `/stock/add/${item}`, `/stock/add/${item}/1/1`, "/"])
    expect(codeOf(await invoke(loadBalancer("1", {}, false, path)))).toEqual([404, "unknown_path"]);
  expect((await shop.get(`/stock/find/${item}`)).json).toEqual({ stock: 10, price: 1 });
});

test("a signed body may come in base64, and its signature holds in a stage as well", async () => {
  const path = "/stock/release";
  const body = JSON.stringify({ saga: "s1", startedAt: Date.now() });
  const signature = sign({ method: "POST", path, body }, SECRET, Date.now());
  const event = {
    ...payload2("1", null),
    rawPath: `/prod${path}`,
    headers: { [SIGNATURE_HEADER]: signature },
    body: Buffer.from(body).toString("base64"),
    isBase64Encoded: true,
    pathParameters: undefined,
  };
  const context = (event as unknown as { requestContext: object }).requestContext;
  const release = (await import("../../stock/release.ts")).handler as unknown as Handler;
  expect(await invoke({ ...event, requestContext: { ...context, stage: "prod" } }, release)).toMatchObject({
    statusCode: 200,
  });
});

test.each([
  null,
  undefined,
  {},
  "text",
  7,
  [],
  { version: "1.0" },
  { Records: [{ body: "{}" }] },
  { version: "2.0", rawPath: "/stock/add/a/1" },
])("an event that is no request (%j) is 400 invalid_event", async (event) => {
  expect(codeOf(await invoke(event))).toEqual([400, "invalid_event"]);
});
