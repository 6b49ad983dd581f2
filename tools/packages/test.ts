/**
 * `npm run test:packages`: installs the layers from their tarballs, as somebody would who has nothing else of this project, and uses
 * them: each Node that they promise, both versions of ioredis, by import and by require, with types of four kinds. Needs the npm registry,
 * for the other versions of Node.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { packStaged, stagePackages } from "./stage.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const NODES = ["20", "22", "24"];
const IOREDIS = ["5", "6"];

const folder = mkdtempSync(join(tmpdir(), "packages-"));
stagePackages();
const tarballs = packStaged(join(folder, "tarballs"));

// A socket: no port that somebody else may have.
const socket = join(folder, "redis.sock");
const server = process.env["REDIS_SERVER"] ?? "redis-server";
const redis = spawn(server, ["--port", "0", "--unixsocket", socket, "--save", ""], { stdio: "ignore" });
try {
  for (let waited = 0; !existsSync(socket); waited++) {
    if (waited === 200) throw new Error(`${server} does not start`);
    await sleep(50);
  }
  for (const version of IOREDIS) {
    const project = install(`ioredis-${version}`, [`ioredis@${version}`, "aws4fetch"]);
    for (const file of Object.keys(tarballs)) checkSourceMaps(join(project, "node_modules", file));
    for (const node of NODES) {
      run(node, project, ["node", "use.mjs", `unix:${socket}`, join(project, `log-${node}`)]);
      useCommands(node, project, `log-${node}`);
      run(node, project, ["node", "use.cjs", `unix:${socket}`]);
      flush(project);
      say(`used with Node ${node} and ioredis ${version}`);
    }
    checkTypes(project);
  }
  const bare = install("without-aws4fetch", ["ioredis@6"]);
  writeFileSync(join(bare, "bare.mjs"), 'await import("log-replay");\nawait import("redis-occ");\n');
  run("24", bare, ["node", "bare.mjs"]);
  if (existsSync(join(bare, "node_modules", "aws4fetch")))
    throw new Error("aws4fetch is installed, though nobody asked for it");
  const { status, stderr } = tell("24", bare, ["log-replay", "verify", "s3://bucket/log"], {
    AWS_REGION: "eu-central-1",
  });
  if (status !== 2 || !stderr.endsWith("error: a log in S3 needs the package aws4fetch: npm install aws4fetch\n"))
    throw new Error(`log-replay without aws4fetch: ${status} ${stderr}`);
  say("log-replay loads without aws4fetch, and says where it is needed");
} finally {
  redis.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}

function install(name: string, others: readonly string[]): string {
  const project = join(folder, name);
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), '{ "private": true }\n');
  cpSync(join(import.meta.dirname, "consumer"), project, { recursive: true });
  const args = ["install", "--no-audit", "--no-fund", "--loglevel=error", ...Object.values(tarballs), ...others];
  execFileSync("npm", args, { cwd: project, stdio: "inherit" });
  return project;
}

function run(node: string, project: string, args: readonly string[]): void {
  const { status, stderr } = tell(node, project, args);
  if (status !== 0) throw new Error(`${args.join(" ")} with Node ${node}: ${status} ${stderr}`);
}

function tell(node: string, project: string, args: readonly string[], environment: Record<string, string> = {}) {
  const command = ["--yes", "--package", `node@${node}`, "--", ...args];
  const env = { ...process.env, ...environment };
  return spawnSync("npx", command, { cwd: project, env, encoding: "utf8", timeout: 120_000 });
}

/** `npx log-replay`, on the log that `use.mjs` has left: one commit, of `n`. */
function useCommands(node: string, project: string, log: string): void {
  const ask = (expected: number, out: string, args: readonly string[]): void => {
    const { status, stdout, stderr } = tell(node, project, ["log-replay", ...args]);
    if (status !== expected || !`${stdout}${stderr}`.includes(out) || /\n {4}at /.test(stderr))
      throw new Error(`log-replay ${args.join(" ")} with Node ${node}: ${status} ${stdout}${stderr}`);
  };
  ask(0, "Usage: log-replay <command>", ["--help"]);
  ask(0, `${log}  sound: 1 commit in 1 epoch`, ["verify", log]);
  ask(0, '"op":"first","set":{"n":7}', ["show", log, "--json"]);
  ask(0, "n  7", ["state", log]);
  ask(0, "nothing is to be repaired", ["repair", log]);
  ask(0, "equal: 1 key", ["diff", log, "--redis", `unix:${socket}`]);
  ask(0, "1 commit folded", ["compact", log]);
  ask(0, "epoch 2 sets 1 key", ["restore", log, "--at", "0", "--yes"]);
  ask(0, "copied: 2 commits", ["backup", log, `${log}-copy`]);
  ask(2, "error: nowhere is no log store", ["verify", "nowhere"]);
}

/** Each test finds an empty Redis: LoggedRedis refuses one that holds other data. */
function flush(project: string): void {
  const program = `const { Redis } = require("ioredis"); const r = new Redis(${JSON.stringify(socket)}); r.flushall().then(() => r.disconnect());`;
  execFileSync(process.execPath, ["-e", program], { cwd: project, stdio: "inherit" });
}

/** With `lib` checked too: an error in the packages' own types is theirs. */
function checkTypes(project: string): void {
  mkdirSync(join(project, "node_modules", "@types"), { recursive: true });
  for (const name of ["@types/node", "undici-types"]) {
    cpSync(join(ROOT, "node_modules", name), join(project, "node_modules", name), { recursive: true });
  }
  for (const type of ["module", "commonjs"]) {
    for (const lib of [
      ["es2023", "esnext.disposable"],
      ["es2023", "esnext.disposable", "dom"],
    ]) {
      writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type }));
      const compilerOptions = {
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        module: "nodenext",
        target: "es2022",
        lib,
        types: ["node"],
      };
      writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["types.ts"] }));
      execFileSync(process.execPath, [join(ROOT, "node_modules", "typescript", "bin", "tsc"), "-p", project], {
        stdio: "inherit",
      });
    }
    say(`types of a ${type} project, with and without DOM`);
  }
}

/** Each source that a map names is in the package. */
function checkSourceMaps(installed: string): void {
  const maps = readdirSync(installed, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".map"));
  if (maps.length === 0) throw new Error(`no source maps in ${installed}`);
  for (const map of maps) {
    const { sources } = JSON.parse(readFileSync(join(installed, map), "utf8")) as { sources: string[] };
    for (const source of sources) {
      if (!existsSync(join(installed, dirname(map), source)))
        throw new Error(`${map} names ${source}, which is not there`);
    }
  }
}

function say(what: string): void {
  process.stdout.write(`${what}\n`);
}
