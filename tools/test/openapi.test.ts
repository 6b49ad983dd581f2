import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { readDescription } from "../../host/gateway/description.ts";
import { openApiDocument } from "../openapi/document.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

interface Operation {
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<Record<string, unknown>>;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

test("docs/openapi.json is what the routes and the schemas are now (npm run openapi)", async () => {
  expect(JSON.parse(read("docs/openapi.json"))).toEqual(await openApiDocument());
});

test("it has every route of serverless.yml with the parameters of its path, and what a handler says that it serves is what it is asked for", async () => {
  const { paths } = JSON.parse(read("docs/openapi.json")) as Document;
  const { functions } = await readDescription(ROOT, "offline");
  const routes = functions.flatMap(({ handler, routes: served }) => served.map((route) => ({ handler, ...route })));
  expect(Object.values(paths).flatMap((methods) => Object.keys(methods))).toHaveLength(routes.length);
  for (const { handler, method, resource } of routes) {
    const { parameters } = paths[resource]![method.toLowerCase()]!;
    const named = [...resource.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    expect(parameters.filter((parameter) => parameter.in === "path").map(({ name }) => name)).toEqual(named);
    const source = read(`${handler.slice(0, handler.lastIndexOf("."))}.ts`);
    if (source.includes("endpoint({")) expect(source).toContain(`route: "${method} ${resource}"`);
  }
});

test("every refusal of the rules is documented for a route, and every status of docs/errors.md", () => {
  const document = read("docs/openapi.json");
  const [, codes = ""] = /export type RefusalCode =([^;]*);/.exec(read("functions/errors.ts")) ?? [];
  const listed = [...codes.matchAll(/"(\w+)"/g)]
    .map(([, code]) => code ?? "")
    .filter((code) => code !== "invalid_event");
  expect(listed.length).toBeGreaterThan(12);
  expect(listed.filter((code) => !document.includes(`"${code}"`))).toEqual([]);
  const statuses = new Set([...read("docs/errors.md").matchAll(/^\| (\d{3}) \|/gm)].map(([, status]) => status ?? ""));
  expect([...statuses].filter((status) => !document.includes(`"${status}"`))).toEqual([]);
});
