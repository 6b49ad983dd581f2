import { beforeEach, expect, test } from "@jest/globals";
import { execFile, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const HOST = join(import.meta.dirname, "..");

/** Installs what the lock names, unless told to leave out what is for development; answers \`config get\` by the environment. */
const NPM = `
if [ "$1" = config ]; then echo "\${npm_config_ignore_scripts:-false}"; exit 0; fi
echo "$@" >> npm-calls
case "$NODE_ENV $*" in
  *--include=dev*) mkdir -p node_modules/.bin node_modules/thing; : > node_modules/.bin/node; echo '{}' > node_modules/thing/package.json; cp package-lock.json node_modules/.package-lock.json;;
  production*) mkdir -p node_modules; echo '{"packages":{}}' > node_modules/.package-lock.json;;
esac`;
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
  program("npm", NPM);
  symlinkSync(process.execPath, join(bin, "node"));
  for (const tool of ["sh", "mkdir", "cp", "sleep"])
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
  expect(npmCalls()).toEqual(["ci --include=dev --include=optional --no-audit --no-fund --loglevel=error"]);
  expect(bootstrap(PACKAGES_ONLY)).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  expect(npmCalls()).toHaveLength(1);
});

test("NODE_ENV=production installs what is needed to start all the same", () => {
  expect(bootstrap(PACKAGES_ONLY, { NODE_ENV: "production" })).toEqual({
    exitCode: 0,
    stdout: "",
    stderr: expect.stringContaining("npm ci"),
  });
  expect(bootstrap(PACKAGES_ONLY).exitCode).toBe(0);
  expect(npmCalls()).toHaveLength(1);
});

test("an install that is not whole gets no stamp, though npm says that it went well; and one that was spoilt since is made anew", () => {
  program("npm", `[ "$1" = config ] || { echo "$@" >> npm-calls; mkdir -p node_modules; }`);
  const failed = bootstrap(PACKAGES_ONLY);
  expect([failed.exitCode, failed.stderr]).toEqual([1, expect.stringContaining("left packages out")]);
  program("npm", NPM);
  expect(bootstrap(PACKAGES_ONLY).exitCode).toBe(0);
  rmSync(join(clone, "node_modules", ".bin"), { recursive: true });
  expect(bootstrap(PACKAGES_ONLY).exitCode).toBe(0);
  expect(npmCalls()).toHaveLength(3);
});

test("where npm runs no install scripts one line says so, and nothing is installed", () => {
  const refused = bootstrap(PACKAGES_ONLY, { npm_config_ignore_scripts: "true" });
  expect([refused.exitCode, refused.stderr.trim().split("\n")]).toEqual([
    1,
    [expect.stringContaining("npm_config_ignore_scripts=false")],
  ]);
  expect(npmCalls()).toEqual([]);
});

test("two starts at once on a fresh clone: one installs, the other waits for it", async () => {
  program("npm", `[ "$1" = config ] || sleep 1\n${NPM}`);
  const both = await Promise.all(
    [0, 1].map(() =>
      promisify(execFile)(process.execPath, [join(clone, "host", "bootstrap.mjs"), ...PACKAGES_ONLY], {
        env: { PATH: bin },
      }),
    ),
  );
  expect(both.map(({ stderr }) => stderr.includes("npm ci")).sort()).toEqual([false, true]);
  expect(npmCalls()).toHaveLength(1);
});

test("a start that was killed while it installed blocks nobody, whoever has its pid now", async () => {
  program("npm", `[ "$1" = config ] || { : > begun; sleep 5; }`);
  const killed = execFile(process.execPath, [join(clone, "host", "bootstrap.mjs"), ...PACKAGES_ONLY], {
    env: { PATH: bin },
  });
  while (!existsSync(join(clone, "begun"))) await sleep(10);
  killed.kill("SIGKILL");
  program("npm", NPM);
  expect(bootstrap(PACKAGES_ONLY)).toMatchObject({ exitCode: 0, stderr: expect.not.stringContaining("waiting") });
  rmSync(join(clone, "node_modules"), { recursive: true });
  writeFileSync(join(clone, ".bootstrap.lock"), String(process.pid)); // as earlier versions wrote it
  expect(bootstrap(PACKAGES_ONLY).exitCode).toBe(0);
  expect(existsSync(join(clone, ".bootstrap.lock"))).toBe(false);
});

test("ten starts at once where three were killed before: one installs", async () => {
  program("npm", `[ "$1" = config ] || sleep 1\n${NPM}`);
  for (const left of ["", ".1-a", ".2-b"]) writeFileSync(join(clone, `.bootstrap.lock${left}`), "");
  const started = Array.from({ length: 10 }, () =>
    promisify(execFile)(process.execPath, [join(clone, "host", "bootstrap.mjs"), ...PACKAGES_ONLY], {
      env: { PATH: bin },
    }),
  );
  await Promise.all(started);
  expect(npmCalls()).toHaveLength(1);
  expect(readdirSync(clone).filter((name) => name.includes(".bootstrap"))).toEqual([]);
});

(process.getuid?.() === 0 ? test : test.skip)(
  "somebody else's install is started as it is; one that is missing is one line",
  () => {
    const asNobody = (): { status: number | null; stderr: string } =>
      spawnSync(
        "setpriv",
        [
          "--reuid=65534",
          "--regid=65534",
          "--clear-groups",
          process.execPath,
          join(clone, "host", "bootstrap.mjs"),
          ...PACKAGES_ONLY,
        ],
        { encoding: "utf8", env: { PATH: `${bin}:/usr/bin:/bin` } },
      );
    for (const folder of [clone, bin, join(clone, "host")]) chmodSync(folder, 0o755);
    expect(asNobody()).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^error: packages are missing, and .* cannot be written: npm ci, as its owner\n$/),
    });
    bootstrap(PACKAGES_ONLY);
    rmSync(join(clone, "node_modules", ".installed-from-lock"));
    expect(asNobody()).toMatchObject({ status: 0, stderr: "" });
  },
);

test("packages are installed again when the lock file has changed", () => {
  bootstrap(PACKAGES_ONLY);
  writeLock("2.0.0");
  bootstrap(PACKAGES_ONLY);
  expect(npmCalls()).toHaveLength(2);
});

test("an install that was cut short is one error, and is noticed by the next start", () => {
  program("npm", `[ "$1" = config ] && exit 0; echo "$@" >> npm-calls; mkdir -p node_modules; exit 1`);
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
  mkdirSync(join(clone, "node_modules", ".bin"));
  writeFileSync(join(clone, "node_modules", ".bin", "node"), "");
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
