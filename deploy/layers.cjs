"use strict";
/**
 * Makes `.layers/NAME/nodejs/node_modules/NAME` of each layer: its modules in one file, with everything inside that it
 * depends on except the other layer. One file is read in half the time of sixty, and each cold start pays that time.
 */
const { build } = require("esbuild");
const { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

const ROOT = join(__dirname, "..");
/** What a function imports of each. The tools of the log stay out. */
const LAYERS = {
  "redis-occ": { ".": "index", "./channel": "channel", "./fail-points": "fail-points" },
  "log-replay": {
    ".": "index",
    "./middleware": "middleware",
    "./process-wide": "process-wide",
    "./s3": "stores/s3/index",
  },
};
// ioredis is CommonJS, and asks for Node's modules by require.
const BANNER = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

async function buildLayers() {
  for (const [name, entries] of Object.entries(LAYERS)) {
    const source = join(ROOT, "layers", name);
    const layer = join(ROOT, ".layers", name);
    const target = join(layer, "nodejs", "node_modules", name);
    rmSync(layer, { recursive: true, force: true });
    mkdirSync(target, { recursive: true });
    await build({
      entryPoints: Object.values(entries).map((entry) => join(source, "src", `${entry}.ts`)),
      outbase: join(source, "src"),
      outdir: join(target, "dist"),
      bundle: true,
      // What several entries share is in one chunk, so that an error has one class whoever imports it.
      splitting: true,
      external: Object.keys(LAYERS)
        .filter((other) => other !== name)
        .flatMap((other) => [other, `${other}/*`]),
      platform: "node",
      target: "node22", // the oldest runtime that a stage is deployed with
      format: "esm",
      minify: true,
      keepNames: true,
      sourcemap: "linked",
      sourcesContent: false,
      banner: { js: BANNER },
      logLevel: "warning",
    });
    const { version, license, type } = JSON.parse(readFileSync(join(source, "package.json"), "utf8"));
    const exports = Object.fromEntries(Object.entries(entries).map(([path, entry]) => [path, `./dist/${entry}.js`]));
    writeFileSync(
      join(target, "package.json"),
      `${JSON.stringify({ name, version, license, type, exports }, null, 2)}\n`,
    );
    copyFileSync(join(source, "README.md"), join(target, "README.md"));
  }
}

module.exports = { buildLayers };
