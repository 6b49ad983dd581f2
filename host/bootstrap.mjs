#!/usr/bin/env node
/**
 * Brings a fresh clone to where the shop can run: checks Node, installs the packages, compiles the sources,
 * finds Redis.
 *
 *   node host/bootstrap.mjs [--no-redis] [--no-build]
 *
 * Runs on Node 20 before anything is installed, so it depends on nothing. Silent unless something takes long.
 * Exit code 0: ready. 1: one clear message on stderr.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  accessSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { findRedisServer, MINIMUM_REDIS_VERSION } from "./redis-binary.mjs";

const MINIMUM_NODE_VERSION = 20;
/** In the project's folder: how the names of locks begin. */
const LOCK = ".bootstrap.lock";
const LOCK_POLL_MS = 200;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const flags = new Set(process.argv.slice(2));

try {
  requireNode();
  await installPackages();
  if (!flags.has("--no-build")) build();
  if (!flags.has("--no-redis") && startsRedis()) await installRedis();
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

function requireNode() {
  for (const flag of flags) {
    if (flag !== "--no-redis" && flag !== "--no-build")
      throw new Error(`unknown option ${flag}: use --no-redis, --no-build`);
  }
  if (Number(process.versions.node.split(".")[0]) < MINIMUM_NODE_VERSION) {
    throw new Error(`Node ${MINIMUM_NODE_VERSION} or newer is needed, this is ${process.version}`);
  }
}

/**
 * `npm ci` unless node_modules is complete and made from exactly this lock file. The stamp lies inside node_modules and
 * holds the lock's hash; it is written only for an install that is whole, whatever npm says of it. An install by hand
 * counts too, if node_modules/.package-lock.json, which npm writes last, agrees with the lock.
 */
async function installPackages() {
  const lock = readFileSync(join(root, "package-lock.json"));
  const stamp = join(modules, ".installed-from-lock");
  // The platform belongs to it, because a folder may be shared between machines.
  const wanted = createHash("sha256").update(lock).update(`${process.platform}-${process.arch}`).digest("hex");
  const isStamped = () => existsSync(stamp) && readFileSync(stamp, "utf8") === wanted && nodeRuns();
  const isWhole = () => npmSaysComplete(lock) && nodeRuns();
  if (isStamped()) return;
  if (isWhole()) return writeIfPossible(stamp, wanted);
  await alone(async () => {
    // Another start may have done it meanwhile.
    if (isStamped()) return;
    if (ignoresScripts())
      throw new Error(
        "npm is told to run no install scripts (ignore-scripts), and the package node needs its own: start once with npm_config_ignore_scripts=false",
      );
    progress("installing the packages (npm ci) ...");
    rmSync(stamp, { force: true });
    // Node's own types are stripped and bundled here: what NODE_ENV=production would leave out is needed.
    await run(
      "npm",
      ["ci", "--include=dev", "--include=optional", "--no-audit", "--no-fund", "--loglevel=error"],
      "installing the packages failed",
    );
    if (!npmSaysComplete(lock))
      throw new Error("npm ci has ended well and left packages out: look at npm's configuration (npm config list)");
    if (!nodeRuns()) throw new Error("npm ci has ended well, and node_modules/.bin/node is missing: npm rebuild node");
    writeIfPossible(stamp, wanted);
  });
}

/** The Node that everything else runs on, which the package of that name brings with its install script. */
function nodeRuns() {
  return existsSync(join(modules, ".bin", "node"));
}

function ignoresScripts() {
  const set = spawnSync("npm", ["config", "get", "ignore-scripts"], { cwd: root, encoding: "utf8" });
  return set.stdout?.trim() === "true";
}

/**
 * One start at a time changes the project's folder: another one waits for it. Each has a lock of its own, and goes on if no other
 * one's answers then: of two at once at least the later one sees the other, and both may step back. A lock is a socket, because
 * whether it answers tells whether its owner lives, also where that is in another container. Its name is used once, so that
 * removing the lock of one that is gone cannot remove anybody else's.
 * @param {() => Promise<void>} work which leaves time to answer those who wait
 */
async function alone(work) {
  // The path of a socket has 100 characters at most.
  process.chdir(root);
  for (let waited = false; ; waited = true) {
    const own = await show();
    try {
      if (own === null || !(await othersAnswer(own.name))) return await work();
    } finally {
      own?.remove();
    }
    if (!waited) progress("another start is installing what is missing: waiting for it ...");
    await sleep(LOCK_POLL_MS * (0.5 + Math.random()));
  }
}

/** @returns {Promise<{ name: string, remove: () => void } | null>} a lock of its own; null on a file system without sockets */
async function show() {
  const name = `${LOCK}.${process.pid}-${randomBytes(6).toString("hex")}`;
  // It gets its name only when it answers.
  const draft = `.draft${name}`;
  try {
    const server = createServer((client) => client.destroy()).unref();
    await new Promise((resolve, reject) => server.once("error", reject).listen(draft, () => resolve(undefined)));
    renameSync(draft, name);
    return {
      name,
      remove: () => {
        rmSync(name, { force: true });
        server.close();
      },
    };
  } catch (error) {
    if (!isWritable(root))
      throw new Error(`packages are missing, and ${root} cannot be written: npm ci, as its owner`, { cause: error });
    return null;
  }
}

/** Removes the locks of those that are gone, what earlier versions have left too. @param {string} own */
async function othersAnswer(own) {
  for (const name of readdirSync(".")) {
    if (!name.startsWith(LOCK) || name === own) continue;
    if (await answers(name)) return true;
    rmSync(name, { force: true });
  }
  return false;
}

/** @param {string} name @returns {Promise<boolean>} */
function answers(name) {
  return new Promise((resolve) => {
    const socket = connect(name, () => resolve(true));
    socket.once("connect", () => socket.destroy());
    // Too many wait for its answer: it lives, and is busy.
    socket.once("error", (error) => resolve("code" in error && error.code === "EAGAIN"));
  });
}

/** @param {Buffer} lock */
function npmSaysComplete(lock) {
  try {
    const wanted = JSON.parse(lock.toString()).packages;
    const installed = JSON.parse(readFileSync(join(modules, ".package-lock.json"), "utf8")).packages;
    return Object.entries(wanted).every(([path, entry]) => {
      if (path === "" || entry.link || !path.startsWith("node_modules/")) return true;
      const found = installed[path];
      if (!found) return entry.optional === true || entry.devOptional === true; // made for another platform
      return found.version === entry.version && existsSync(join(root, path, "package.json"));
    });
  } catch {
    return false;
  }
}

/** Loading everything once costs a second: it is done only when a file has changed since. */
function build() {
  const node = join(modules, ".bin", "node");
  onceFor("host-compiled", ["layers", "functions", "host"], () => {
    const environment = { ...process.env, NODE_COMPILE_CACHE: join(modules, ".cache", "node-compile") };
    // What cannot be loaded says so itself when it is started.
    spawnSync(node, [join(root, "host", "compile.ts")], { cwd: root, stdio: "ignore", env: environment });
  });
}

/** @param {string} name of the stamp @param {string[]} folders @param {() => void} work for what is in them now */
function onceFor(name, folders, work) {
  const stamp = join(modules, `.${name}`);
  // The project is somebody else's: what would be made cannot be kept.
  if (!isWritable(modules) || (existsSync(stamp) && readFileSync(stamp, "utf8") === fingerprint(folders))) return;
  work();
  writeIfPossible(stamp, fingerprint(folders));
}

/** @param {string[]} folders */
function fingerprint(folders) {
  const hash = createHash("sha256");
  for (const path of ["tsconfig.json", "tsconfig.base.json"]) hash.update(readFileSync(join(root, path)));
  for (const folder of folders) {
    for (const path of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).sort()) {
      if (path.includes("node_modules") || path.split("/").includes("test")) continue;
      const { size, mtimeMs } = statSync(join(root, folder, path));
      hash.update(`${folder}/${path} ${size} ${mtimeMs}\n`);
    }
  }
  return hash.digest("hex");
}

function startsRedis() {
  if (process.env.HOSTS_ONLY === "1") return false;
  return !["ORDER", "STOCK", "PAYMENT"].every((service) => process.env[`REDIS_URL_${service}`]);
}

async function installRedis() {
  const found = findRedisServer(process.env);
  if (found.path) return;
  if (found.fatal) throw new Error(found.problem);
  const packaged = packageManager();
  if (packaged) {
    progress(`${found.problem}: installing it (${packaged.map((words) => words.join(" ")).join(" && ")}) ...`);
    for (const [command, ...words] of packaged) {
      const done = spawnSync(command, words, {
        stdio: ["ignore", "ignore", "inherit"],
        env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      });
      if (done.status !== 0) break;
    }
    const again = findRedisServer(process.env);
    if (again.path) return;
  }
  throw new Error(
    `${found.problem}. Install Redis ${MINIMUM_REDIS_VERSION} or newer (Debian: apt-get install redis-server, macOS: brew install redis), ` +
      "or set REDIS_SERVER to a redis-server or valkey-server, or REDIS_URL_ORDER, REDIS_URL_STOCK and REDIS_URL_PAYMENT to running ones",
  );
}

/** @returns {[string, ...string[]][] | undefined} the commands that install Redis here without asking anything */
function packageManager() {
  if (works("apt-get", ["--version"])) {
    /** @type {string[] | undefined} */
    const prefix = process.getuid?.() === 0 ? [] : works("sudo", ["-n", "true"]) ? ["sudo", "-n"] : undefined;
    if (prefix)
      return [
        ["update", "-qq"],
        ["install", "-y", "-qq", "redis-server"],
      ].map((words) => /** @type {[string]} */ ([...prefix, "apt-get", ...words]));
  }
  if (works("brew", ["--version"])) return [["brew", "install", "redis"]];
  return undefined;
}

/** @param {string} command @param {string[]} words */
function works(command, words) {
  return spawnSync(command, words, { stdio: "ignore" }).status === 0;
}

/** @param {string} command @param {string[]} words @param {string} problem */
async function run(command, words, problem) {
  // Progress belongs on stderr: stdout is for the one line that says that the shop is ready.
  const child = spawn(command, words, { cwd: root, stdio: ["ignore", 2, 2] });
  const [code, signal] = await once(child, "close").catch((error) => {
    throw new Error(`${problem}: ${error.message}`);
  });
  if (code !== 0) throw new Error(`${problem} (exit code ${code ?? signal})`);
}

/** @param {string} folder */
function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * A stamp saves time, and nothing rests on it: whoever starts somebody else's install does without.
 * @param {string} file @param {string} content
 */
function writeIfPossible(file, content) {
  try {
    writeFileSync(`${file}.${process.pid}`, content);
    renameSync(`${file}.${process.pid}`, file);
  } catch {
    rmSync(`${file}.${process.pid}`, { force: true });
  }
}

/** @param {string} line */
function progress(line) {
  process.stderr.write(`${line}\n`);
}
