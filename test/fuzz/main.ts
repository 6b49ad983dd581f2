/**
 * `npm run fuzz`: schemathesis makes requests from the contract that a running shop serves (docs/openapi.json), valid ones and others,
 * each by itself and in sequences where an answer feeds the next request. No answer may be a 5xx or one that the contract does not have.
 *
 *   npm run fuzz [-- SEED]
 *
 * Needs Python 3.10 or newer with venv; installs schemathesis from PyPI into `.fuzz/venv`. Exit code 0: nothing was found.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "../../host/ports.ts";
import { startShop } from "../../host/running-shop.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const REQUIREMENTS = join(import.meta.dirname, "requirements.txt");
const FOLDER = join(ROOT, ".fuzz");

const SEED = process.argv[2] ?? "1";
/** Seconds for the requests; with the start it is within three minutes. */
const TIME = 120;

/**
 * What is asked of each answer. That valid parameters are accepted is not: whether there is such an item is for the rules to say. That
 * a method which is not there is 405 is not either: it is 404, as on API Gateway.
 */
const CHECKS = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_headers_conformance",
  "response_schema_conformance",
  "negative_data_rejection",
  "ignored_auth",
];

/** Rows of a batch: one of a million takes its time, and shows no more. */
const BATCH_LIMIT = "1000";

process.exitCode = await main();

async function main(): Promise<number> {
  const schemathesis = installed();
  const [port = 0] = await freePorts(1);
  const shop = await startShop("serve", port, { LOG_LEVEL: "error", BATCH_LIMIT });
  try {
    const words = [
      "run",
      `${shop.url}/openapi.json`,
      ...["--checks", CHECKS.join(",")],
      ...["--phases", "examples,coverage,fuzzing,stateful"],
      ...["--seed", SEED, "--max-time", String(TIME), "--request-timeout", "30", "--no-color", "--warnings", "off"],
    ];
    const done = spawnSync(schemathesis, words, {
      cwd: FOLDER,
      stdio: ["ignore", "inherit", "inherit"],
      env: {
        ...process.env,
        SCHEMATHESIS_HOOKS: join(import.meta.dirname, "hooks.py"),
        INTERNAL_SECRET: readFileSync(join(shop.dataFolder, "secrets", "internal-secret"), "utf8").trim(),
      },
    });
    return done.status ?? 1;
  } finally {
    await shop.stop();
    shop.removeData();
  }
}

/** @returns the program @throws Error where Python or PyPI does not give it */
function installed(): string {
  const [venv, stamp] = [join(FOLDER, "venv"), join(FOLDER, "installed")];
  const wanted = readFileSync(REQUIREMENTS, "utf8");
  if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
    rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER);
    run("python3", ["-m", "venv", venv]);
    run(join(venv, "bin", "pip"), ["install", "--quiet", "--disable-pip-version-check", "--requirement", REQUIREMENTS]);
    // Last: an installation that was cut short leaves none.
    writeFileSync(stamp, wanted);
  }
  return join(venv, "bin", "schemathesis");
}

function run(command: string, words: readonly string[]): void {
  const { status } = spawnSync(command, words, { stdio: ["ignore", 2, 2] });
  if (status !== 0) throw new Error(`${command} ${words.join(" ")} failed`);
}
