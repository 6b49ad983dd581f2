import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..");
/** Where the packages are built; nothing in it is kept. */
export const STAGING = join(ROOT, ".packages");

/** In the order in which they need each other; the documents of the project that belong to each. */
const LAYERS = { "redis-occ": [], "log-replay": ["log.md"] } as const satisfies Record<string, readonly string[]>;
export const PACKAGES = Object.keys(LAYERS) as (keyof typeof LAYERS)[];

/** What the workspace needs and nobody else: fail points are of the tests. */
export const NOT_PUBLISHED = new Set(["./fail-points", "./package.json"]);

interface Manifest {
  readonly exports: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly version: string;
  readonly [name: string]: unknown;
}

/**
 * Builds what is published of each layer into `.packages/NAME`: JavaScript and types from the sources as they are now, a package.json
 * that points at them, and the documents. In the workspace the layers' package.json points at the sources and is private: it
 * cannot be published by accident, and no stale build can pass a test.
 *
 * @returns the folder of each
 */
export function stagePackages(): Record<(typeof PACKAGES)[number], string> {
  rmSync(STAGING, { recursive: true, force: true });
  // Where the compiler looks for them: the one that is built here, not the workspace's.
  mkdirSync(join(STAGING, "node_modules"), { recursive: true });
  for (const name of PACKAGES) {
    stage(name);
    symlinkSync(join("..", name), join(STAGING, "node_modules", name), "dir");
  }
  return Object.fromEntries(PACKAGES.map((name) => [name, join(STAGING, name)])) as ReturnType<typeof stagePackages>;
}

/** The tarballs of what {@link stagePackages} made, in `folder`. */
export function packStaged(folder: string): Record<(typeof PACKAGES)[number], string> {
  mkdirSync(folder, { recursive: true });
  const tarballs = PACKAGES.map((name) => {
    const args = ["pack", join(STAGING, name), "--pack-destination", folder, "--silent", "--ignore-scripts"];
    const file = execFileSync("npm", args, { encoding: "utf8", cwd: folder }).trim().split("\n").at(-1) ?? "";
    return [name, join(folder, file)];
  });
  return Object.fromEntries(tarballs) as ReturnType<typeof packStaged>;
}

function stage(name: (typeof PACKAGES)[number]): void {
  const layer = join(ROOT, "layers", name);
  const target = join(STAGING, name);
  cpSync(join(layer, "src"), join(target, "src"), { recursive: true });
  const {
    private: _private,
    exports: sources,
    bin = {},
    ...manifest
  } = JSON.parse(readFileSync(join(layer, "package.json"), "utf8")) as Manifest;
  const entries = Object.entries(sources)
    .filter(([path]) => !NOT_PUBLISHED.has(path))
    .map(([path, source]) => [path, entryOf(source)] as const);
  const programs = Object.entries(bin).map(([program, source]) => [program, `dist/${entryOf(source)}.js`]);
  // Before the compiler runs: it takes the kind of module from here.
  writeJson(join(target, "package.json"), {
    ...manifest,
    main: "./dist/cjs/index.js",
    types: "./dist/cjs/index.d.ts",
    exports: {
      ...Object.fromEntries(entries.map(([path, entry]) => [path, conditions(entry)])),
      "./package.json": "./package.json",
    },
    ...(programs.length > 0 ? { bin: Object.fromEntries(programs) as unknown } : {}),
    files: ["dist", "src", "docs", "CHANGELOG.md"],
    ...repository(name),
  });
  compile(target);
  addCommonJs(
    join(target, "dist"),
    entries.map(([, entry]) => entry),
  );
  addDocuments(name, layer, target);
}

/** The module that a source becomes, without its ending. */
const entryOf = (source: string): string => source.replace(/^\.\/src\/(.*)\.ts$/, "$1");

/** ES modules are loaded by `require` too: of each module there is one instance in a process, however it was asked for. */
function conditions(entry: string): object {
  return {
    import: { types: `./dist/${entry}.d.ts`, default: `./dist/${entry}.js` },
    require: { types: `./dist/cjs/${entry}.d.ts`, default: `./dist/cjs/${entry}.js` },
  };
}

/** What Node 20 has, and nothing that names a browser. */
function compile(target: string): void {
  const config = join(target, "tsconfig.json");
  writeJson(config, {
    extends: "../../tsconfig.base.json",
    compilerOptions: {
      target: "es2023",
      lib: ["es2023", "es2024.string", "esnext.disposable"],
      rootDir: "src",
      outDir: "dist",
      inlineSources: true,
      declarationMap: true,
    },
    include: ["src"],
  });
  execFileSync(process.execPath, [join(ROOT, "node_modules", "typescript", "bin", "tsc"), "-p", config], {
    stdio: "inherit",
  });
  rmSync(config);
}

/** For each entry a module that requires it, and all types once more as those of CommonJS. */
function addCommonJs(dist: string, entries: readonly string[]): void {
  const cjs = join(dist, "cjs");
  const types = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".d.ts"));
  for (const file of types) {
    mkdirSync(dirname(join(cjs, file)), { recursive: true });
    const text = readFileSync(join(dist, file), "utf8").replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n");
    writeFileSync(join(cjs, file), text);
  }
  writeJson(join(cjs, "package.json"), { type: "commonjs" });
  for (const entry of entries) {
    const up = "../".repeat(entry.split("/").length);
    writeFileSync(join(cjs, `${entry}.js`), `"use strict";\nmodule.exports = require("${up}${entry}.js");\n`);
  }
}

/** In the tarball there is no other folder of the project: what a document refers to lies beside it, or on npm. */
function addDocuments(name: (typeof PACKAGES)[number], layer: string, target: string): void {
  cpSync(join(ROOT, "LICENSE"), join(target, "LICENSE"));
  cpSync(join(layer, "CHANGELOG.md"), join(target, "CHANGELOG.md"));
  const readme = readFileSync(join(layer, "README.md"), "utf8")
    .replaceAll("](../../docs/", "](docs/")
    .replace(/\]\(\.\.\/([a-z-]+)\/README\.md\)/g, "](https://www.npmjs.com/package/$1)");
  writeFileSync(join(target, "README.md"), readme);
  for (const document of LAYERS[name]) {
    mkdirSync(join(target, "docs"), { recursive: true });
    cpSync(join(ROOT, "docs", document), join(target, "docs", document));
  }
}

/** Named in the project's package.json, else where it was cloned from; a folder of one's own machine is none. */
function repository(name: string): object {
  const { repository: named } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    repository?: { url: string };
  };
  const url = named?.url ?? origin();
  return url === undefined ? {} : { repository: { type: "git", url, directory: `layers/${name}` } };
}

function origin(): string | undefined {
  if (!existsSync(join(ROOT, ".git"))) return undefined;
  try {
    const url = execFileSync("git", ["remote", "get-url", "origin"], {
      cwd: ROOT,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return /^(https|git\+https|ssh):\/\/|^git@/.test(url) ? url.trim() : undefined;
  } catch {
    return undefined;
  }
}

function writeJson(file: string, content: unknown): void {
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
}
