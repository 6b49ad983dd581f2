/** The port between the services, with both of its adapters: through HTTP, and straight to the handler. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { proxyEvent } from "../../test/support/invocation.ts";
import { directClient } from "../direct-client.ts";
import { offerDispatch } from "../dispatch.ts";
import { httpClient } from "../http-client.ts";
import type { ServiceClient } from "../service-client.ts";
import { SIGNATURE_HEADER, verify } from "../signature.ts";

type Handler = (event: APIGatewayProxyEvent) => Promise<APIGatewayProxyResult>;

const ROUTE = "/stock/reserve";
const post = { method: "POST", path: ROUTE, body: { saga: "ä" }, timeout: 20_000 } as const;
const ambiguous = expect.objectContaining({ code: "outcome_unknown", statusCode: 504, retryable: false });
const fine = (body = "fine"): APIGatewayProxyResult => ({ statusCode: 200, body });

/** The function that has the route; whichever way it is asked. */
let handler: Handler;
let requests = 0;
let gateway: Server;

beforeAll(async () => {
  gateway = createServer((request, response) => {
    requests++;
    const chunks: Buffer[] = [];
    request
      .on("data", (chunk: Buffer) => chunks.push(chunk))
      .on("end", () => {
        const path = request.url ?? "";
        if (path !== ROUTE) return void response.writeHead(404).end();
        const headers = request.headers as Record<string, string>;
        const event = proxyEvent({
          method: request.method ?? "",
          path,
          resource: path,
          pathParameters: null,
          headers,
          body: Buffer.concat(chunks).toString() || null,
        });
        void handler(event).then(
          ({ statusCode, body }) => response.writeHead(statusCode).end(body),
          () => response.writeHead(502).end(),
        );
      });
  });
  gateway.listen(0, "127.0.0.1");
  await once(gateway, "listening");
  Object.assign(process.env, {
    INTERNAL_SECRET: "secret",
    GATEWAY_URL: `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`,
  });
});
afterEach(() => offerDispatch(null));
afterAll(() => {
  gateway.closeAllConnections();
  gateway.close();
});

/** As a host does that has the function in its own process. */
function host(): void {
  offerDispatch(({ method, path, headers, body }) => {
    if (path !== ROUTE) return null;
    return handler(proxyEvent({ method, path, resource: path, pathParameters: null, headers, body }));
  });
}

const adapters: [string, ServiceClient, () => void][] = [
  ["through HTTP", httpClient, () => undefined],
  ["direct", directClient, host],
];

describe.each(adapters)("%s", (name, client, prepare) => {
  test("the function gets the body as JSON, signed over method, path, time and body", async () => {
    prepare();
    let got: unknown;
    handler = async ({ httpMethod, path, headers, body }) => {
      verify({ method: httpMethod, path, body: body ?? "" }, headers[SIGNATURE_HEADER], "secret", Date.now());
      expect(headers["content-type"]).toBe("application/json");
      got = JSON.parse(body ?? "");
      return fine();
    };
    expect(await client(post)).toEqual({ status: 200, body: "fine" });
    expect(got).toEqual({ saga: "ä" });
  });

  test("a read has no body; it is signed where a host may have to find a place for it", async () => {
    prepare();
    handler = async ({ httpMethod, path, headers, body }) => {
      const signature = headers[SIGNATURE_HEADER];
      if (signature !== undefined) verify({ method: httpMethod, path, body: "" }, signature, "secret", Date.now());
      return fine(JSON.stringify([signature !== undefined, body]));
    };
    const read = { method: "GET", path: ROUTE, timeout: 20_000 } as const;
    expect(await client(read)).toEqual({ status: 200, body: `[${name === "through HTTP"},null]` });
    process.env["INTERNAL_SECRET_ARN"] = "in AWS";
    try {
      expect(await client(read)).toEqual({ status: 200, body: "[false,null]" });
    } finally {
      delete process.env["INTERNAL_SECRET_ARN"];
    }
  });

  test.each([
    [
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ],
    [
      `01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-${"x".repeat(16_000)}`,
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ],
    ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-\u20ac", undefined],
    ["", undefined],
  ])("of a trace only what the standard has of it is sent, whatever a record has", async (trace, sent) => {
    prepare();
    handler = async ({ headers }) => fine(String(headers["traceparent"]));
    expect(await client({ ...post, trace })).toEqual({ status: 200, body: String(sent) });
  });

  test("whatever the function answers is handed on", async () => {
    prepare();
    for (const statusCode of [200, 400, 403, 409, 500, 503, 504]) {
      handler = async () => ({ statusCode, body: `said ${statusCode}` });
      expect(await client(post)).toEqual({ status: statusCode, body: `said ${statusCode}` });
    }
  });

  test("what the caller does with its body afterwards changes nothing", async () => {
    prepare();
    const { promise: opened, resolve: open } = Promise.withResolvers<undefined>();
    handler = async ({ body }) => {
      await opened;
      return fine(body ?? "");
    };
    const lines = [1];
    const answer = client({ ...post, body: { lines } });
    lines.push(2);
    open(undefined);
    expect((await answer).body).toBe('{"lines":[1]}');
  });

  test("a function that never answers: whether it did it is not known", async () => {
    prepare();
    handler = () => new Promise(() => undefined);
    await expect(client({ ...post, timeout: 200 })).rejects.toEqual(ambiguous);
  });

  test("a function that answers too late: not known, and it is asked once", async () => {
    prepare();
    const { promise: opened, resolve: open } = Promise.withResolvers<undefined>();
    let asked = 0;
    handler = async () => {
      asked++;
      await opened;
      return fine();
    };
    await expect(client({ ...post, timeout: 500 })).rejects.toEqual(ambiguous);
    open(undefined);
    expect(asked).toBe(1);
  });

  test("a path that no function has is 404", async () => {
    prepare();
    expect((await client({ ...post, path: "/stock/nothing" })).status).toBe(404);
  });

  test("only the way through HTTP uses HTTP", async () => {
    prepare();
    handler = async () => fine();
    const before = requests;
    await client(post);
    expect(requests - before).toBe(name === "direct" ? 0 : 1);
  });
});

describe("direct", () => {
  test("a function that throws: whether it did it is not known", async () => {
    host();
    handler = async () => {
      throw new Error("half way");
    };
    await expect(directClient(post)).rejects.toEqual(ambiguous);
  });

  test("a function that is not in this process is asked through the gateway", async () => {
    handler = async () => fine("from elsewhere");
    expect(await directClient(post)).toEqual({ status: 200, body: "from elsewhere" });
    offerDispatch(() => null);
    expect(await directClient(post)).toEqual({ status: 200, body: "from elsewhere" });
  });
});
