import { beforeEach, expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const HOST = join(import.meta.dirname, "..");
let clone: string;
let bin: string;

/** A clone with the bootstrap in it, and a PATH on which npm, Redis and the package managers are ours. */
beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), "clone-"));
  bin = join(clone, "bin");
  mkdirSync(join(clone, "host"));
  mkdirSync(bin);
  for (const file of ["bootstrap.mjs", "redis-binary.mjs"]) cpSync(join(HOST, file), join(clone, "host", file));
  writeFileSync(join(clone, "package.json"), '{"type":"module"}');
  writeLock("1.0.0");
  program("npm", `echo "$@" >> npm-calls; mkdir -p node_modules`);
  symlinkSync(process.execPath, join(bin, "node"));
  for (const tool of ["sh", "mkdir"])
    symlinkSync(spawnSync("sh", ["-c", `command -v ${tool}`], { encoding: "utf8" }).stdout.trim(), join(bin, tool));
});

function writeLock(version: string): void {
  const entry = { version };
  writeFileSync(
    join(clone, "package-lock.json"),
    JSON.stringify({ packages: { "": {}, "node_modules/thing": entry } }),
  );
}

function program(name: string, script: string): void {
  writeFileSync(join(bin, name), `#!${join(bin, "sh")}\n${script}\n`);
  chmodSync(join(bin, name), 0o755);
}

function bootstrap(flags: string[], environment: Record<string, string> = {}) {
  const done = spawnSync(process.execPath, [join(clone, "host", "bootstrap.mjs"), ...flags], {
    encoding: "utf8",
    env: { PATH: bin, ...environment },
  });
  return { exitCode: done.status, stdout: done.stdout, stderr: done.stderr };
}

function npmCalls(): string[] {
  const file = join(clone, "npm-calls");
  return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
}

const PACKAGES_ONLY = ["--no-redis", "--no-build"];

test("packages are installed when they are missing, and then not again", () => {
  expect(bootstrap(PACKAGES_ONLY).exitCode).toBe(0);
  expect(npmCalls()).toEqual(["ci --no-audit --no-fund --loglevel=error"]);
  expect(bootstrap(PACKAGES_ONLY)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  expect(npmCalls()).toHaveLength(1);
});

test("packages are installed again when the lock file has changed", () => {
  bootstrap(PACKAGES_ONLY);
  writeLock("2.0.0");
  bootstrap(PACKAGES_ONLY);
  expect(npmCalls()).toHaveLength(2);
});

test("an install that was cut short is one error, and is noticed by the next start", () => {
  program("npm", `echo "$@" >> npm-calls; mkdir -p node_modules; exit 1`);
  const failed = bootstrap(PACKAGES_ONLY);
  expect(failed.exitCode).toBe(1);
  expect(failed.stderr).toContain("error: installing the packages failed");
  expect(bootstrap(PACKAGES_ONLY).exitCode).toBe(1);
  expect(npmCalls()).toHaveLength(2);
});

test("packages that somebody has installed with npm from this lock file are taken as they are, others are not", () => {
  const installed = (version: string): void =>
    writeFileSync(
      join(clone, "node_modules", ".package-lock.json"),
      JSON.stringify({ packages: { "node_modules/thing": { version } } }),
    );
  mkdirSync(join(clone, "node_modules", "thing"), { recursive: true });
  writeFileSync(join(clone, "node_modules", "thing", "package.json"), "{}");
  installed("0.9.0");
  bootstrap(PACKAGES_ONLY);
  expect(npmCalls()).toHaveLength(1);
  rmSync(join(clone, "node_modules", ".installed-from-lock"));
  installed("1.0.0");
  bootstrap(PACKAGES_ONLY);
  expect(npmCalls()).toHaveLength(1);
});

test.each([
  ["one that is missing", undefined, "is not an executable file"],
  ["one that is too old", "echo Redis server v=6.2.1 sha=0", "is version 6.2.1, 7 or newer is needed"],
  ["another program", "echo hello", "does not say a Redis version"],
])("REDIS_SERVER that names %s is one clear error, and no other is looked for", (_what, script, says) => {
  program("redis-server", "echo Redis server v=7.2.0 sha=0");
  if (script) program("my-redis", script);
  const refused = bootstrap(["--no-build"], { REDIS_SERVER: join(bin, "my-redis") });
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toContain(`error: REDIS_SERVER=${join(bin, "my-redis")} ${says}`);
});

test("a valkey-server on the PATH will do", () => {
  program("valkey-server", "echo Valkey server v=8.0.1 sha=0");
  expect(bootstrap(["--no-build"]).exitCode).toBe(0);
});

test("a missing Redis is installed by the package manager of the system, its list brought up to date first", () => {
  program(
    "apt-get",
    `echo "$@" >> ${join(clone, "apt-calls")}; [ "$1" = install ] && echo 'echo Redis server v=7.0.15 sha=0' > ${join(bin, "redis-server")}; exit 0`,
  );
  program("sudo", `shift; exec "$@"`);
  bootstrap(["--no-build"]);
  expect(
    readFileSync(join(clone, "apt-calls"), "utf8")
      .trim()
      .split("\n")
      .filter((line) => !line.startsWith("--")),
  ).toEqual(["update -qq", "install -y -qq redis-server"]);
});

test("without Redis and without a package manager one message says what to install", () => {
  bootstrap(PACKAGES_ONLY);
  const refused = bootstrap(["--no-build"]);
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr.trim().split("\n")).toHaveLength(1);
  expect(refused.stderr).toMatch(/Install Redis 7 or newer/);
});

test("Redis is not looked for when all three addresses are given, or for a further host", () => {
  bootstrap(PACKAGES_ONLY);
  const given = { REDIS_URL_ORDER: "redis://a", REDIS_URL_STOCK: "redis://b", REDIS_URL_PAYMENT: "redis://c" };
  expect(bootstrap(["--no-build"], given).exitCode).toBe(0);
  expect(bootstrap(["--no-build"], { HOSTS_ONLY: "1" }).exitCode).toBe(0);
});
