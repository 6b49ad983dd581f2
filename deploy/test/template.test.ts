/* eslint-disable @typescript-eslint/no-unsafe-member-access, @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-call, @typescript-eslint/no-unsafe-argument, @typescript-eslint/no-explicit-any --
   the template is JSON of CloudFormation's, looked into by path */
/** What `osls package --stage aws` makes, without an account: the template, and the archives that it refers to. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SERVICES } from "../../functions/settings/services.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const MINUTES = 60_000;
/**
 * Milliseconds that a handler takes at most (PATIENCE of functions/handler/endpoint.ts), once to restore and once to
 * work.
 */
const PATIENCE = 10_000;
const GATEWAY_LIMIT = 29;
const NETWORK = { vpcId: "vpc-1", subnetIds: "subnet-1,subnet-2" };

interface Resource {
  readonly Type: string;
  readonly Condition?: string;
  readonly DependsOn?: readonly string[];
  readonly DeletionPolicy?: string;
  readonly Properties: any;
}

interface Package {
  readonly folder: string;
  readonly resources: Readonly<Record<string, Resource>>;
}

const folders: string[] = [];
let plain: Package;

beforeAll(() => {
  plain = packaged({});
}, 5 * MINUTES);
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Without any credentials, and without what another shop has left in the environment. */
function packaged(parameters: Readonly<Record<string, string>>): Package {
  const folder = mkdtempSync(join(tmpdir(), "package-"));
  folders.push(folder);
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(AWS_|SHOP_|REDIS_|npm_|NODE_OPTIONS$)/.test(name)),
  );
  const params = Object.entries(parameters).map(([name, value]) => `--param=${name}=${value}`);
  execFileSync(
    process.execPath,
    [
      join(ROOT, "node_modules", "serverless", "bin", "serverless.js"),
      "package",
      "--stage",
      "aws",
      "--package",
      folder,
      ...params,
    ],
    {
      cwd: ROOT,
      env: {
        ...env,
        HOME: folder,
        ESBUILD_WORK_FOLDER: join(".esbuild", `test-${process.pid}`),
        SLS_TELEMETRY_DISABLED: "1",
      },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  rmSync(join(ROOT, ".esbuild", `test-${process.pid}`), { recursive: true, force: true });
  const { Resources } = JSON.parse(readFileSync(join(folder, "cloudformation-template-update-stack.json"), "utf8")) as {
    Resources: Record<string, Resource>;
  };
  return { folder, resources: Resources };
}

const ofType = ({ resources }: Package, type: string): [string, Resource][] =>
  Object.entries(resources).filter(([, { Type }]) => Type === type);
const functions = (made: Package): [string, Resource][] => ofType(made, "AWS::Lambda::Function");
const names = (archive: string): string[] =>
  python("print('\\n'.join(zipfile.ZipFile(sys.argv[1]).namelist()))", archive).trim().split("\n");
const content = (archive: string, name: string): string =>
  python("sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))", archive, name);
const python = (script: string, ...args: string[]): string =>
  execFileSync("python3", ["-c", `import sys, zipfile; ${script}`, ...args]).toString();
const serviceOf = (functionName: string): string => functionName.split("-")[2] ?? "";

test(
  "every function has both layers, and no function's archive has code of the layers or of ioredis",
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
      expect(map.sources.filter((source) => /layers\/|ioredis|redis-occ|log-replay|@aws-sdk/.test(source))).toEqual([]);
    }
  },
  5 * MINUTES,
);

test("only functions that sign or check signatures have the code that fetches the secret", () => {
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

test("a service's role reaches its own log, its own output and the secret, and nothing of the others", () => {
  for (const service of SERVICES) {
    const id = `${service[0]?.toUpperCase()}${service.slice(1)}`;
    const [policy] = plain.resources[`${id}Role`]!.Properties.Policies;
    const statements = policy.PolicyDocument.Statement as { Action: string | string[]; Resource: unknown }[];
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
  for (const [, { Properties }] of functions(plain)) {
    const service = serviceOf(Properties.FunctionName as string);
    expect(Properties.Role).toEqual({ "Fn::GetAtt": [`${service[0]?.toUpperCase()}${service.slice(1)}Role`, "Arn"] });
  }
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

test("a Lambda ends after its handler's own time and before its caller gives up, and a step's time is within its saga's", () => {
  const scheduled = new Set(
    ofType(plain, "AWS::Events::Rule").map(
      ([, { Properties }]) => Properties.Targets[0].Arn["Fn::GetAtt"][0] as string,
    ),
  );
  expect(scheduled.size).toBeGreaterThanOrEqual(4);
  for (const [id, { Properties }] of functions(plain)) {
    const seconds = Properties.Timeout as number;
    if (scheduled.has(id)) {
      expect(seconds).toBe((Properties.FunctionName as string).endsWith("-compact") ? 900 : 60);
      continue;
    }
    expect(seconds * 1_000).toBeGreaterThan(2 * PATIENCE);
    expect(seconds).toBeLessThan(GATEWAY_LIMIT);
    const { SAGA_TIMEOUT_MS: saga, STEP_TIMEOUT_MS: step } = Properties.Environment.Variables as Record<string, string>;
    expect(2 * Number(step)).toBeLessThan(Number(saga));
    expect(Number(saga)).toBeLessThan(PATIENCE);
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

test("every scheduled function has an alarm, logs are kept for a time, and no secret is in the template", () => {
  const scheduled = ofType(plain, "AWS::Events::Rule").map(
    ([, { Properties }]) =>
      plain.resources[Properties.Targets[0].Arn["Fn::GetAtt"][0]]?.Properties.FunctionName as string,
  );
  const watched = ofType(plain, "AWS::CloudWatch::Alarm").flatMap(([, { Properties }]) =>
    Properties.MetricName === "Errors" ? [Properties.Dimensions[0].Value as string] : [],
  );
  expect(watched.sort()).toEqual(scheduled.sort());
  for (const [, { Properties }] of ofType(plain, "AWS::Logs::LogGroup")) expect(Properties.RetentionInDays).toBe(30);
  expect(functions(plain)[0]?.[1].Properties.Environment.Variables).toMatchObject({
    INTERNAL_SECRET_ARN: { Ref: "InternalSecret" },
  });
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
  "with packaging=bundled a function needs no layer: its one file loads where no package is",
  () => {
    const made = packaged({ packaging: "bundled" });
    for (const [, { Properties }] of functions(made)) expect(Properties.Layers ?? []).toEqual([]);
    const folder = mkdtempSync(join(tmpdir(), "bundled-"));
    folders.push(folder);
    execFileSync("python3", ["-m", "zipfile", "-e", join(made.folder, "order-checkout.zip"), folder]);
    const script = `const { handler } = await import(${JSON.stringify(join(folder, "functions", "order", "checkout.mjs"))}); console.log(typeof handler);`;
    expect(execFileSync(process.execPath, ["--input-type=module", "--eval", script], { cwd: folder }).toString()).toBe(
      "function\n",
    );
  },
  5 * MINUTES,
);
