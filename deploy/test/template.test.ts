/* eslint-disable @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-argument, @typescript-eslint/no-explicit-any --
   the template is JSON of CloudFormation's, looked into by path */
/** What `osls package` makes for a stage that is deployed, without an account: the template, and the archives that it refers to. */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { BATCH_PATIENCE } from "../../functions/handler/batch.ts";
import { COMPACTION_PATIENCE } from "../../functions/handler/compaction.ts";
import { PATIENCE, RESERVE } from "../../functions/handler/endpoint.ts";
import { TASK_PATIENCE } from "../../functions/handler/task.ts";
import { SERVICES } from "../../functions/settings/services.ts";
import { RESTORE_PATIENCE } from "../../functions/state/open-state.ts";
import {
  content,
  extract,
  functions,
  names,
  ofType,
  packaged,
  removeTemporaryFolders,
  serviceOf,
  temporaryFolder,
  type Package,
} from "./support/packaged.ts";

const MINUTES = 60_000;
/** Seconds after which API Gateway gives up. */
const GATEWAY_LIMIT = 29;
const NETWORK = { vpcId: "vpc-1", subnetIds: "subnet-1,subnet-2" };
/** What signs its calls to the other services, or checks the signature of theirs. */
const SIGNING = [
  "order-checkout",
  "order-maintain",
  "order-resume-sagas",
  "payment-charge",
  "payment-forget",
  "payment-refund",
  "stock-forget",
  "stock-release",
  "stock-reserve",
];

let plain: Package;

beforeAll(() => {
  plain = packaged({});
}, 5 * MINUTES);
afterAll(removeTemporaryFolders);

test(
  "every function has both layers, and no function's archive has code of the layers, of ioredis or of traces that nobody collects",
  () => {
    const archives = readdirSync(plain.folder).filter((name) => /^(order|stock|payment)-.*\.zip$/.test(name));
    expect(functions(plain)).toHaveLength(archives.length);
    for (const [, { Properties }] of functions(plain)) {
      expect(Properties.Layers).toEqual([{ Ref: "RedisDashoccLambdaLayer" }, { Ref: "LogDashreplayLambdaLayer" }]);
    }
    for (const archive of archives) {
      const [service, ...operation] = archive.replace(".zip", "").split("-");
      const file = `functions/${service}/${operation.join("-")}.mjs`;
      // Its own handler and that one's source map: nothing else.
      expect(names(join(plain.folder, archive)).sort()).toEqual([file, `${file}.map`]);
      const map = JSON.parse(content(join(plain.folder, archive), `${file}.map`)) as { sources: string[] };
      expect(map.sources.length).toBeGreaterThan(0);
      const foreign = /layers\/|ioredis|redis-occ|log-replay|@aws-sdk|opentelemetry|observe\/(spans|tracing)\./;
      expect(map.sources.filter((source) => foreign.test(source))).toEqual([]);
    }
  },
  5 * MINUTES,
);

test("where no collector is named, no function is told of one", () => {
  for (const [, { Properties }] of functions(plain))
    expect(Properties.Environment.Variables).toMatchObject({
      OTEL_EXPORTER_OTLP_ENDPOINT: "",
      OTEL_HEADERS_SECRET_ARN: "",
    });
});

test("a task that signs nothing does not carry the code that fetches the secret", () => {
  const bundle = (name: string): string =>
    content(join(plain.folder, `${name}.zip`), `functions/${name.replace("-", "/")}.mjs`);
  expect(bundle("stock-maintain")).not.toContain("AWS4-HMAC");
  expect(bundle("stock-reserve")).toContain("AWS4-HMAC");
});

test("each layer is a package under nodejs/node_modules, in built JavaScript, and nothing else", () => {
  const layers = { "redis-occ": ["dist/index.js"], "log-replay": ["dist/index.js", "dist/stores/s3/index.js"] };
  for (const [layer, entries] of Object.entries(layers)) {
    const files = names(join(plain.folder, `${layer}.zip`)).filter((name) => !name.endsWith("/"));
    const at = `nodejs/node_modules/${layer}/`;
    expect(files).toEqual(expect.arrayContaining([`${at}package.json`, ...entries.map((entry) => at + entry)]));
    expect(files.filter((name) => !name.startsWith(at) || /\.ts$|\.tsbuildinfo$/.test(name))).toEqual([]);
  }
});

test("a service's roles reach its own log and its own output, and nothing of the others", () => {
  for (const [service, role] of SERVICES.flatMap((name) =>
    [`Role`, `SigningRole`].map((kind) => [name, capital(name) + kind] as const),
  )) {
    const statements = statementsOf(plain, role);
    const actions = statements.flatMap(({ Action }) => Action);
    expect(actions.filter((action) => action.includes("*"))).toEqual([]);
    expect(actions).not.toContain("s3:DeleteBucket");
    for (const { Resource } of statements) expect(Resource).not.toBe("*");
    const text = JSON.stringify(statements);
    expect(text).toContain(`log-group:/aws/lambda/shop-aws-${service}-*`);
    for (const other of SERVICES.filter((name) => name !== service)) expect(text.toLowerCase()).not.toContain(other);
    // Claims, begins and the identity are never deleted, because they are decided.
    const deletes = statements.find(({ Action }) => Action === "s3:DeleteObject");
    expect(JSON.stringify(deletes?.Resource).match(/\/(order|stock|payment)\/[a-z]+-\*/g)).toEqual([
      `/${service}/segment-*`,
      `/${service}/snapshot-*`,
    ]);
  }
});

test("the secret is readable by the functions that sign or check signatures, and by no other", () => {
  const readers = [];
  for (const [, { Properties }] of functions(plain)) {
    const name = (Properties.FunctionName as string).replace("shop-aws-", "");
    const [role, attribute] = Properties.Role["Fn::GetAtt"] as string[];
    expect([role?.startsWith(capital(serviceOf(Properties.FunctionName as string))), attribute]).toEqual([true, "Arn"]);
    const secrets = statementsOf(plain, role ?? "").filter(({ Action }) =>
      [Action].flat().some((action) => action.startsWith("secretsmanager:")),
    );
    if (secrets.length > 0) readers.push(name);
    for (const statement of secrets)
      expect(statement).toEqual({
        Effect: "Allow",
        Action: "secretsmanager:GetSecretValue",
        Resource: { Ref: "InternalSecret" },
      });
    expect(JSON.stringify(Properties.Environment)).not.toMatch(/"INTERNAL_SECRET"|resolve:secretsmanager/);
  }
  expect(readers.sort()).toEqual(SIGNING);
});

test("a log's bucket outlives the stack, is public to nobody, and takes no object over another", () => {
  const buckets = ofType(plain, "AWS::S3::Bucket").filter(([id]) => id.endsWith("Log"));
  expect(buckets.map(([id]) => id).sort()).toEqual(["OrderLog", "PaymentLog", "StockLog"]);
  for (const [id, { DeletionPolicy, Properties }] of buckets) {
    expect(DeletionPolicy).toBe("Retain");
    expect(Object.values(Properties.PublicAccessBlockConfiguration)).toEqual([true, true, true, true]);
    const statements = plain.resources[`${id}Policy`]?.Properties.PolicyDocument.Statement as {
      Effect: string;
      Action: string;
      Condition: unknown;
    }[];
    expect(statements).toContainEqual(
      expect.objectContaining({
        Effect: "Deny",
        Action: "s3:PutObject",
        Condition: { Null: { "s3:if-none-match": "true" } },
      }),
    );
  }
});

test("a step ends before its saga, a saga before its request, a request before its Lambda, and that before the gateway", () => {
  for (const [, { Properties }] of functions(plain)) {
    const { SAGA_TIMEOUT_MS: saga, STEP_TIMEOUT_MS: step } = Properties.Environment.Variables as Record<string, string>;
    expect(2 * Number(step)).toBeLessThan(Number(saga));
    expect(Number(saga)).toBeLessThan(PATIENCE);

    const lambda = 1_000 * (Properties.Timeout as number);
    const name = (Properties.FunctionName as string).replace("shop-aws-", "");
    // What the handler takes at most, first to restore and then to work; a batch works until its Lambda is about to end.
    if (name.endsWith("-compact")) expect(COMPACTION_PATIENCE).toBeLessThan(lambda - RESERVE);
    else if (/-(maintain|resume-sagas)$/.test(name)) expect(2 * TASK_PATIENCE + RESERVE).toBeLessThan(lambda);
    else {
      expect(RESTORE_PATIENCE + PATIENCE + RESERVE).toBeLessThan(lambda);
      expect(lambda).toBeLessThan(1_000 * GATEWAY_LIMIT);
      if (name.endsWith("-batch-init")) expect(BATCH_PATIENCE).toBeGreaterThan(lambda);
    }
  }
});

test("a task that is scheduled every minute ends within it, and all tasks are scheduled", () => {
  const schedules = Object.fromEntries(
    ofType(plain, "AWS::Events::Rule").map(([, { Properties }]) => [
      nameOf(plain, Properties.Targets[0].Arn["Fn::GetAtt"][0] as string),
      Properties.ScheduleExpression as string,
    ]),
  );
  expect(schedules).toEqual({
    "order-resume-sagas": "rate(1 minute)",
    "order-maintain": "rate(1 minute)",
    "stock-maintain": "rate(1 minute)",
    "payment-maintain": "rate(1 minute)",
    "order-compact": "rate(5 minutes)",
    "stock-compact": "rate(5 minutes)",
    "payment-compact": "rate(5 minutes)",
  });
  for (const [, { Properties }] of functions(plain)) {
    if (schedules[(Properties.FunctionName as string).replace("shop-aws-", "")] === "rate(1 minute)")
      expect(Properties.Timeout).toBeLessThanOrEqual(60);
  }
});

test("what a saga needs has concurrency of its own; nothing else takes any from the account", () => {
  const reserved = functions(plain).filter(
    ([, { Properties }]) => Properties.ReservedConcurrentExecutions !== undefined,
  );
  expect(reserved.map(([, { Properties }]) => Properties.FunctionName as string).sort()).toEqual(
    ["order-checkout", "payment-charge", "payment-refund", "stock-release", "stock-reserve"].map(
      (name) => `shop-aws-${name}`,
    ),
  );
});

test("the gateway throttles, and its own answers are made before the deployment that has them", () => {
  const [deployment] = ofType(plain, "AWS::ApiGateway::Deployment").map(([, resource]) => resource);
  expect(deployment?.Properties.StageDescription).toMatchObject({
    ThrottlingRateLimit: 1_000,
    ThrottlingBurstLimit: 2_000,
  });
  const answers = ofType(plain, "AWS::ApiGateway::GatewayResponse");
  expect(answers.map(([, { Properties }]) => [Properties.ResponseType, Properties.StatusCode] as const)).toEqual(
    expect.arrayContaining([
      ["MISSING_AUTHENTICATION_TOKEN", "404"],
      ["INTEGRATION_TIMEOUT", "504"],
    ]),
  );
  expect(deployment?.DependsOn).toEqual(expect.arrayContaining(answers.map(([id]) => id)));
  for (const [, { Properties }] of answers)
    expect(JSON.parse(Properties.ResponseTemplates["application/json"] as string)).toMatchObject({
      error: { code: expect.any(String) },
    });
});

test("there is an alarm for each thing that somebody has to know", () => {
  const alarms = ofType(plain, "AWS::CloudWatch::Alarm").map(([, { Properties }]) => {
    const { Namespace, MetricName, Dimensions, Threshold, ComparisonOperator, TreatMissingData } = Properties;
    const of = (Dimensions as { Name: string; Value: string }[]).map(({ Name, Value }) => `${Name}=${Value}`).join();
    return [
      Namespace,
      MetricName,
      of,
      ComparisonOperator === "LessThanThreshold" ? "<" : ">",
      Threshold,
      TreatMissingData,
    ].join(" ");
  });
  const failing = [
    "order-compact",
    "order-maintain",
    "order-resume-sagas",
    "payment-compact",
    "payment-maintain",
    "stock-compact",
    "stock-maintain",
  ];
  expect(alarms.sort()).toEqual(
    [
      "AWS/ApiGateway 5XXError ApiName=aws-shop,Stage=aws > 0.01 notBreaching",
      "AWS/Lambda Invocations FunctionName=shop-aws-order-resume-sagas < 1 breaching",
      ...failing.map((name) => `AWS/Lambda Errors FunctionName=shop-aws-${name} > 0 notBreaching`),
      ...SERVICES.map((name) => `shop-aws Restores service=${name} > 0 notBreaching`),
      "shop-aws StuckSagas service=order > 0 notBreaching",
    ].sort(),
  );
  for (const [, { Properties }] of ofType(plain, "AWS::CloudWatch::Alarm"))
    expect(Properties.AlarmActions).toHaveLength(1);
});

test("logs are kept for a time, and no secret is in the template", () => {
  for (const [, { Properties }] of ofType(plain, "AWS::Logs::LogGroup")) expect(Properties.RetentionInDays).toBe(30);
  expect(functions(plain)[0]?.[1].Properties.Environment.Variables).toMatchObject({
    INTERNAL_SECRET_ARN: { Ref: "InternalSecret" },
  });
});

test("without a network, nothing of one is in the template, and all that it refers to is there: no condition hides a gap", () => {
  expect(Object.values(plain.resources).filter(({ Type }) => /^AWS::(EC2|ElastiCache)::/.test(Type))).toEqual([]);
  expect(dangling(plain)).toEqual([]);
});

test(
  "with a network, the functions are in it and the caches are reached by them alone; with logStore=efs each service mounts its own folder",
  () => {
    const accessPoint = (name: string): string => `arn:aws:elasticfilesystem:eu-central-1:1:access-point/fsap-${name}`;
    const made = packaged({
      ...NETWORK,
      logStore: "efs",
      ...Object.fromEntries(["Order", "Stock", "Payment"].map((name) => [`efsAccessPoint${name}`, accessPoint(name)])),
    });
    for (const [, { Properties }] of functions(made)) {
      expect(Properties.VpcConfig.SubnetIds).toEqual(["subnet-1", "subnet-2"]);
      const service = serviceOf(Properties.FunctionName as string);
      expect(Properties.FileSystemConfigs).toEqual([
        { Arn: accessPoint(`${service[0]?.toUpperCase()}${service.slice(1)}`), LocalMountPath: "/mnt/shop" },
      ]);
    }
    expect(dangling(made)).toEqual([]);
    const { REDIS_URL_STOCK: url } = functions(made)[0]?.[1].Properties.Environment.Variables as Record<
      string,
      unknown
    >;
    expect(url).toEqual({
      "Fn::Join": ["", ["rediss://", { "Fn::GetAtt": ["StockCache", "PrimaryEndPoint.Address"] }, ":6379"]],
    });
    const group = made.resources["CacheSecurityGroup"]?.Properties.SecurityGroupIngress as unknown[];
    expect(group).toEqual([
      {
        IpProtocol: "tcp",
        FromPort: 6379,
        ToPort: 6379,
        SourceSecurityGroupId: { "Fn::GetAtt": ["FunctionSecurityGroup", "GroupId"] },
      },
    ]);
    expect(made.resources["CacheParameters"]?.Properties.Properties).toEqual({ "maxmemory-policy": "noeviction" });
    expect(
      made.resources["OrderRole"]?.Properties.Policies[0].PolicyDocument.Statement.some(
        ({ Action }: { Action: string | string[] }) => [Action].flat().some((action) => action.startsWith("s3:")),
      ),
    ).toBe(false);
  },
  5 * MINUTES,
);

test(
  "in the stage local, with another runtime: its layers and functions are of that runtime, and Redis is where it is said to be",
  () => {
    const urls = { redisUrlOrder: "redis://o", redisUrlStock: "redis://s", redisUrlPayment: "redis://p" };
    const made = packaged({ ...urls, vpcId: "vpc-1", runtime: "nodejs22.x" }, "local");
    const layers = ofType(made, "AWS::Lambda::LayerVersion");
    expect(layers).toHaveLength(2);
    for (const [, { Properties }] of layers) expect(Properties.CompatibleRuntimes).toEqual(["nodejs22.x"]);
    for (const [, { Properties }] of functions(made)) {
      expect(Properties.Runtime).toBe("nodejs22.x");
      expect(Properties.Environment.Variables).toMatchObject({
        REDIS_URL_ORDER: "redis://o",
        REDIS_URL_STOCK: "redis://s",
        REDIS_URL_PAYMENT: "redis://p",
      });
    }
    // The network of the functions, and no caches beside the Redis that is given.
    expect(
      Object.entries(made.resources)
        .filter(([, { Type }]) => /^AWS::(EC2|ElastiCache)::/.test(Type))
        .map(([id]) => id),
    ).toEqual(["FunctionSecurityGroup"]);
  },
  5 * MINUTES,
);

test(
  "with packaging=bundled a function needs no layer: its one file loads where no package is",
  () => {
    const made = packaged({ packaging: "bundled" });
    for (const [, { Properties }] of functions(made)) expect(Properties.Layers ?? []).toEqual([]);
    const folder = temporaryFolder();
    extract(join(made.folder, "order-checkout.zip"), folder);
    const script = `const { handler } = await import(${JSON.stringify(join(folder, "functions", "order", "checkout.mjs"))}); console.log(typeof handler);`;
    expect(execFileSync(process.execPath, ["--input-type=module", "--eval", script], { cwd: folder }).toString()).toBe(
      "function\n",
    );
  },
  5 * MINUTES,
);

function statementsOf({ resources }: Package, role: string): { Action: string | string[]; Resource: unknown }[] {
  return resources[role]?.Properties.Policies[0].PolicyDocument.Statement as {
    Action: string | string[];
    Resource: unknown;
  }[];
}

/** `stock-find` */
function nameOf({ resources }: Package, id: string): string {
  return (resources[id]?.Properties.FunctionName as string).replace(/^shop-[a-z]+-/, "");
}

/** What Ref, Fn::GetAtt, Fn::If and Condition name, and is not there. */
function dangling({ template }: Package): string[] {
  const { Resources, Conditions = {} } = template as { Resources: object; Conditions?: object };
  const missing: string[] = [];
  const look = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, named] of Object.entries<any>(value)) {
      if (key === "Ref" && !(named in Resources) && !String(named).startsWith("AWS::")) missing.push(named as string);
      if (key === "Fn::GetAtt" && !(named[0] in Resources)) missing.push(named[0] as string);
      if (key === "Fn::If" && !(named[0] in Conditions)) missing.push(named[0] as string);
      if (key === "Condition" && typeof named === "string" && !(named in Conditions)) missing.push(named);
      look(named);
    }
  };
  look(template);
  return missing;
}

function capital(name: string): string {
  return `${name[0]?.toUpperCase()}${name.slice(1)}`;
}
