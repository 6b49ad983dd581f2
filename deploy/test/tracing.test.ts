/* eslint-disable @typescript-eslint/no-unsafe-member-access --
   the template is JSON of CloudFormation's, looked into by path */
/** A deployment that names a collector: what is packed for it, and whether a function that is frozen after its answer has told. */
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { isOfService, Collector } from "../../host/test/support/collector.ts";
import { startRedis, type RedisServer } from "../../layers/redis-occ/test/support/redis.ts";
import {
  extract,
  functions,
  packaged,
  removeTemporaryFolders,
  temporaryFolder,
  type Package,
} from "./support/packaged.ts";

const ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:collector-AbCdEf";
const HEADERS = "x-api-key=dont-tell,x-team=shop";

let made: Package;
let redis: RedisServer;
let endpoint: string;
const collector = new Collector();
/** Whatever secret is asked for, it is this one; null: it refuses. */
let secret: string | null = HEADERS;
const secretsManager = createServer((_request, response) => {
  response.writeHead(secret === null ? 400 : 200, { "content-type": "application/json" });
  response.end(JSON.stringify(secret === null ? { __type: "AccessDenied" } : { SecretString: secret }));
});

beforeAll(async () => {
  redis = await startRedis();
  endpoint = await collector.listen();
  await new Promise<void>((resolve) => secretsManager.listen(0, "127.0.0.1", resolve));
  // Without layers, so that a function can be run by itself.
  made = packaged({ packaging: "bundled", otlpEndpoint: endpoint, otlpHeadersSecret: ARN });
}, 300_000);
afterAll(async () => {
  await redis.stop();
  collector.close();
  secretsManager.close();
  removeTemporaryFolders();
});

test("every function is told the collector, and where its headers are kept but not what they are; each role may read them", () => {
  for (const [, { Properties }] of functions(made))
    expect(Properties.Environment.Variables).toMatchObject({
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_HEADERS_SECRET_ARN: ARN,
      OTEL_SERVICE_NAME: "shop-aws",
    });
  const roles = new Set(functions(made).map(([, { Properties }]) => Properties.Role["Fn::GetAtt"][0] as string));
  for (const role of roles)
    expect(made.resources[role]?.Properties.Policies[0].PolicyDocument.Statement).toContainEqual({
      Effect: "Allow",
      Action: "secretsmanager:GetSecretValue",
      Resource: ARN,
    });
});

/** Runs a function as Lambda does, but kills the process at its answer, as it may never be woken up again. */
async function invoked(
  name: string,
  event: object,
  dataFolder: string,
): Promise<{ answer: { statusCode: number }; printed: string }> {
  const [service = "", ...operation] = name.split("-");
  const folder = temporaryFolder();
  extract(join(made.folder, `${name}.zip`), folder);
  const file = join(folder, "functions", service, `${operation.join("-")}.mjs`);
  const script = `
    import { writeSync } from "node:fs";
    const { handler } = await import(${JSON.stringify(file)});
    const context = { awsRequestId: "id", getRemainingTimeInMillis: () => 20_000 };
    writeSync(2, JSON.stringify(await handler(${JSON.stringify(event)}, context)));
    process.kill(process.pid, "SIGKILL");`;
  const { port } = secretsManager.address() as AddressInfo;
  const env = {
    PATH: process.env["PATH"],
    DATA_DIR: dataFolder,
    REDIS_URL_STOCK: redis.url,
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_HEADERS_SECRET_ARN: ARN,
    OTEL_SERVICE_NAME: "shop-aws",
  };
  return new Promise((resolve) => {
    execFile(process.execPath, ["--input-type=module", "--eval", script], { env }, (_killed, stdout, stderr) =>
      resolve({ answer: JSON.parse(stderr) as { statusCode: number }, printed: stdout }),
    );
  });
}

const CREATE = { httpMethod: "POST", path: "/stock/item/create/5", pathParameters: { price: "5" }, headers: {} };

test("a function has sent its spans, with the collector's headers, by the time that it has answered", async () => {
  const data = temporaryFolder();
  await invoked("stock-create-log", {}, data);
  const { answer } = await invoked("stock-create-item", CREATE, data);
  expect(answer.statusCode).toBe(200);
  expect(collector.spans.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      "POST /stock/item/create/{price}",
      "transaction create_item",
      "group",
      "append",
      "restore",
    ]),
  );
  expect(collector.spans.filter((span) => !isOfService(span))).toEqual([]);
  expect(collector.headers).toMatchObject({ "x-api-key": "dont-tell", "x-team": "shop" });

  // A function answers all the same where it may not read the headers, and where nobody collects.
  secret = null;
  const refused = await invoked("stock-create-item", CREATE, data);
  expect(refused.answer.statusCode).toBe(200);
  expect(refused.printed).toContain("traces are not sent");
  expect(refused.printed).not.toContain("dont-tell");

  secret = HEADERS;
  collector.close();
  const alone = await invoked("stock-create-item", CREATE, data);
  expect(alone.answer.statusCode).toBe(200);
  expect(alone.printed).not.toContain("dont-tell");
}, 60_000);
