/** The page, built from its sources by esbuild when it is first asked for, and kept for the next process. */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface Asset {
  readonly type: string;
  readonly body: Buffer;
}

/** By their paths below /console/. */
export type Assets = ReadonlyMap<string, Asset>;

const CLIENT = join(import.meta.dirname, "..", "client");
const ROOT = join(import.meta.dirname, "..", "..");
const CACHE = join(ROOT, "node_modules", ".cache", "console");

let built: Promise<Assets> | undefined;

export function assets(): Promise<Assets> {
  built ??= make().catch((error: unknown) => {
    built = undefined;
    throw error;
  });
  return built;
}

async function make(): Promise<Assets> {
  const version = await fingerprint();
  const [script, style] = await Promise.all(
    ["js", "css"].map((extension) => readFile(join(CACHE, `${version}.${extension}`)).catch(() => null)),
  );
  const files = script && style ? { script, style } : await build(version);
  const names = { script: `app-${version}.js`, style: `app-${version}.css` };
  const page = (await readFile(join(CLIENT, "index.html"), "utf8"))
    .replace("app.js", names.script)
    .replace("app.css", names.style);
  return new Map<string, Asset>([
    ["", { type: "text/html; charset=utf-8", body: Buffer.from(page) }],
    [names.script, { type: "text/javascript; charset=utf-8", body: files.script }],
    [names.style, { type: "text/css; charset=utf-8", body: files.style }],
  ]);
}

async function build(version: string): Promise<{ script: Buffer; style: Buffer }> {
  const esbuild = await import("esbuild");
  const { outputFiles } = await esbuild.build({
    entryPoints: [join(CLIENT, "app.tsx")],
    bundle: true,
    minify: true,
    write: false,
    outdir: CACHE,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
    absWorkingDir: ROOT,
    legalComments: "none",
    logLevel: "silent",
  });
  // Its service has nothing more to do.
  await esbuild.stop();
  const output = (extension: string): Buffer =>
    Buffer.from(outputFiles.find(({ path }) => path.endsWith(extension))?.contents ?? []);
  const made = { script: output(".js"), style: output(".css") };
  await mkdir(CACHE, { recursive: true }).catch(() => undefined);
  for (const [extension, bytes] of [["js", made.script] as const, ["css", made.style] as const])
    await keep(join(CACHE, `${version}.${extension}`), bytes);
  return made;
}

/** A folder that cannot be written to costs a build in each process, and nothing else. */
async function keep(path: string, bytes: Buffer): Promise<void> {
  try {
    await writeFile(`${path}.${process.pid}`, bytes);
    await rename(`${path}.${process.pid}`, path);
  } catch {
    // As said.
  }
}

/** A fingerprint of the sources and of the packages that are built in. */
async function fingerprint(): Promise<string> {
  const hash = createHash("sha256").update(await readFile(join(ROOT, "package-lock.json")));
  for (const name of (await readdir(CLIENT, { recursive: true })).sort()) {
    if (/\.(tsx?|css)$/.test(name)) hash.update(name).update(await readFile(join(CLIENT, name)));
  }
  return hash.digest("hex").slice(0, 12);
}
