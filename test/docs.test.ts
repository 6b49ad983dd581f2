import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "@jest/globals";

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

test("every setting of the documentation is read somewhere", () => {
  const tables = read("docs/configuration.md") + read("docs/serve.md");
  const settings = [...tables.matchAll(/^\| (`[A-Z_`, ]+`) \|/gm)].flatMap(([, names]) =>
    [...(names ?? "").matchAll(/[A-Z_]{3,}/g)].map(([name]) => name),
  );
  const sources =
    ["host", "functions", "console"]
      .flatMap(list)
      .filter((name) => /\.(ts|mjs|cjs)$/.test(name) && !name.includes("/test/"))
      .map(read)
      .join("\n") + read("serverless.yml");
  expect(settings.length).toBeGreaterThan(8);
  // A setting of each service is read by the service's name.
  expect(
    settings.filter(
      (name) => !sources.includes(name) && !sources.includes(name.replace(/(ORDER|STOCK|PAYMENT)$/, "${")),
    ),
  ).toEqual([]);
});

function list(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => !/(^|\/)(node_modules|dist)\//.test(name))
    .map((name) => join(folder, name));
}
