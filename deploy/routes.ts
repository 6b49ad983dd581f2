import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The routes of serverless.yml, in its order. */
export function routes(root: string): { readonly method: string; readonly path: string }[] {
  const text = readFileSync(join(root, "serverless.yml"), "utf8");
  return [...text.matchAll(/^ +- http: (GET|POST) (\/\S*)$/gm)].map(([, method = "", path = ""]) => ({ method, path }));
}
