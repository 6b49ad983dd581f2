import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "@jest/globals";
import { SETTINGS } from "../functions/settings/settings.ts";

const ROOT = join(import.meta.dirname, "..");
const documents = [
  ...["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "model/README.md"],
  ...["docs", "layers/redis-occ", "layers/log-replay"].flatMap((folder) =>
    list(folder).filter((name) => name.endsWith(".md")),
  ),
];
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

test("every test that docs/failures.md quotes is there", () => {
  const sources = ["test", "host/test", "layers/redis-occ/test", "layers/log-replay/test", "functions"]
    .flatMap(list)
    .filter((name) => name.endsWith(".ts") && name !== "test/docs.test.ts")
    .map(read)
    .join("\n");
  const quoted = read("docs/failures.md")
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .flatMap((line) => [...(line.split("|").at(-2) ?? "").matchAll(/"([^"]+)"/g)].map(([, name]) => name ?? ""));
  expect(quoted.length).toBeGreaterThan(20);
  expect(quoted.filter((name) => !sources.includes(`"${name}"`))).toEqual([]);
});

test.each(documents)("every link of %s leads to a file that is there", (document) => {
  const links = [...read(document).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link]) => link ?? "");
  expect(links.filter((link) => !existsSync(join(ROOT, dirname(document), link)))).toEqual([]);
});

test("every file that docs/architecture.md and CONTRIBUTING.md name is there", () => {
  const rooms = ["bench", "console", "deploy", "examples", "functions", "host", "layers", "model", "test", "tools"];
  const files = ["serverless.yml", ".dependency-cruiser.js", "docker-compose.yml", ...rooms.flatMap(list)];
  const named = ["docs/architecture.md", "CONTRIBUTING.md"]
    .map(read)
    .flatMap((text) => [...text.matchAll(/`([\w./{},-]+\.(?:ts|yml|js|json))`/g)].map(([, name]) => name ?? ""))
    .flatMap(alternatives);
  expect(named.length).toBeGreaterThan(40);
  expect(named.filter((name) => !files.some((file) => file === name || file.endsWith(`/${name}`)))).toEqual([]);
});

test("every error code that a request can be answered with is in docs/errors.md", () => {
  const codes = ["functions/errors.ts", "layers/redis-occ/src/errors.ts", "layers/log-replay/src/errors.ts"]
    .map(read)
    .flatMap((source) => [...source.matchAll(/(?:code = |\| |code: )"([a-z_]+)"/g)].map(([, code]) => code ?? ""));
  expect(codes.length).toBeGreaterThan(20);
  const listed = read("docs/errors.md");
  expect(codes.filter((code) => !listed.includes(`\`${code}\``))).toEqual([]);
});

test("every route of docs/routes.md is a function of serverless.yml", () => {
  const served = new Set([...read("serverless.yml").matchAll(/http: (\w+ \S+)/g)].map(([, route]) => route ?? ""));
  const promised = [...read("docs/routes.md").matchAll(/^\| ((?:GET|POST) \/\S+) \|/gm)].map(
    ([, route]) => route ?? "",
  );
  expect(promised.length).toBeGreaterThan(10);
  expect(promised.filter((route) => !served.has(route))).toEqual([]);
});

test("docs/configuration.md's table of settings is the table that hosts and functions read", () => {
  const code = (text: string | number): string => `\`${text}\``;
  const rows = SETTINGS.map(({ name, default: usual, oneOf, least, most, unit, form = "", meaning }) => {
    const isValue = oneOf !== undefined || typeof usual === "number" || ["127.0.0.1", ".data"].includes(usual);
    const range = [`${least} to ${most}`, unit].filter((part) => part !== undefined).join(" ");
    const values = oneOf?.map(code).join(", ") ?? (least === undefined ? form : range);
    return `| ${code(name)} | ${isValue ? code(usual) : usual} | ${values} | ${meaning} |`;
  });
  const written = read("docs/configuration.md")
    .split("\n")
    .filter((line) => /^\| `[A-Z][A-Z_]+` \|/.test(line));
  expect(written).toEqual(rows);
});

test("every variable that hosts and functions read is a setting, or made by the host or the deployment; and every setting is read", () => {
  const made =
    /^(INTERNAL_SECRET|INTERNAL_SECRET_ARN|LOG_STORE_\w*|LOG_BUCKET_\w*|QUEUE_URL_\w*|METRICS_NAMESPACE|OTEL_SERVICE_NAME|OTEL_HEADERS_SECRET_ARN|OTEL_EXPORTER_OTLP_HEADERS|OTEL_BSP_\w+|CONSOLE_HOST_URL|NO_COLOR|INVOCATION_FD|TMPDIR|LAMBDA_TASK_ROOT|AWS_\w+|ESBUILD_WORK_FOLDER|NODE_\w+|PATH|JEST_WORKER_ID|DEBIAN_FRONTEND|SHOP_\w+|npm_\w+)$/;
  const sources = ["host", "functions", "console", "tools", "deploy"]
    .flatMap(list)
    .filter((name) => /\.(ts|mjs|cjs)$/.test(name) && !/(^|\/)test\//.test(name))
    .map(read)
    .join("\n");
  const readings = [
    ...sources.matchAll(/(?:env|environment)(?:\.|\[")([A-Z][A-Z_]+)\b/g),
    ...sources.matchAll(/(?:numberOf|positiveOf|choiceOf|textOf|setting)\(\w+(?:\.env)?, "([A-Z_]+)"/g),
  ];
  const names = new Set(readings.map(([, name]) => name ?? ""));
  const settings = SETTINGS.map(({ name }) => name);
  expect([...names].filter((name) => !settings.includes(name) && !made.test(name))).toEqual([]);
  // A setting of each service is read by the service's name.
  expect(
    settings.filter((name) => !names.has(name) && !sources.includes(name.replace(/(ORDER|STOCK|PAYMENT)$/, "${"))),
  ).toEqual([]);
});

test("a deployment passes on every setting of the functions that is not the host's own to choose", () => {
  const lambda = read("deploy/lambda.yml");
  const local = ["DISPATCH", "COMMIT_MODE"];
  const functions = SETTINGS.filter(({ of }) => of === "functions" || of === "both").map(({ name }) => name);
  expect(functions.filter((name) => !local.includes(name) && !lambda.includes(`  ${name}:`))).toEqual([]);
});

test("serverless.yml writes no default of a setting a second time", () => {
  const parameters = read("serverless.yml");
  const repeated = SETTINGS.filter(({ name, default: usual }) => {
    const parameter = name.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    return new RegExp(`^ +${parameter}: .*(^|\\W)${usual}(\\W|$)`, "m").test(parameters);
  });
  expect(repeated.map(({ name }) => name)).toEqual([]);
});

test("every status of an answer is in the table of docs/errors.md, and every one of the table is answered somewhere", () => {
  const answered = [
    ...[...read("functions/errors.ts").matchAll(/statusCode = (\d+)/g)],
    ...[...read("functions/http/error-answer.ts").matchAll(/answer\((\d+)/g)],
    ...[...read("functions/order/checkout.ts").matchAll(/}, (\d+)\),$/gm)],
    ...[...read("host/gateway/gateway-answers.ts").matchAll(/^ {2}\w+: (\d+),/gm)],
    ...[...read("deploy/resources/gateway.yml").matchAll(/StatusCode: "(\d+)"/g)],
  ].map(([, status]) => Number(status));
  const listed = [...read("docs/errors.md").matchAll(/^\| (\d{3}) \| (?!`[a-z_]+` \|)[^|]+ \| [^|]+ \|$/gm)].map(
    ([, status]) => Number(status),
  );
  expect(listed.length).toBeGreaterThan(12);
  expect([...new Set([200, ...answered])].sort()).toEqual([...new Set(listed)].sort());
});

/** `a/{b,c}.ts` names two files. */
function alternatives(name: string): string[] {
  const [, before = "", inner, after = ""] = /^(.*?)\{([^}]*)\}(.*)$/.exec(name) ?? [];
  if (inner === undefined) return [name];
  return inner.split(",").flatMap((one) => alternatives(before + one + after));
}

function list(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => !/(^|\/)(node_modules|dist)\//.test(name))
    .map((name) => join(folder, name));
}
