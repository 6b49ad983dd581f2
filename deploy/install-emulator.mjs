#!/usr/bin/env node
/**
 * Installs an emulator of AWS from PyPI into `.emulator/NAME/venv`, a virtual environment of this project's own:
 * MiniStack, or what EMULATOR names. It needs Python 3.10 or newer; on Debian, as root, it installs what Python needs
 * for that. Silent if it is there already.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const settings = JSON.parse(readFileSync(join(root, "functions", "settings", "settings.json"), "utf8"));
const { default: usual, oneOf } = settings.find((setting) => setting.name === "EMULATOR");
const name = process.env["EMULATOR"] || usual;
const requirements = join(root, "deploy", "emulator", `${name}.txt`);
const folder = join(root, ".emulator", name);
const venv = join(folder, "venv");
const stamp = join(folder, "installed");

const UV = "uv==0.9.3";
/** What a requirements file names without a version, or does not name, is taken as it was on this day. */
const EXCLUDE_NEWER = new Map([["localstack", "2025-10-20"]]);

try {
  install();
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

function install() {
  if (!oneOf.includes(name)) throw new Error(`EMULATOR=${name} is not one of ${oneOf.join(", ")}`);
  const wanted = readFileSync(requirements, "utf8");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  process.stderr.write(`installing the emulator of AWS into .emulator/${name} ...\n`);
  rmSync(stamp, { force: true });
  rmSync(venv, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  if (!run("python3", ["-m", "venv", venv])) {
    installPython();
    rmSync(venv, { recursive: true, force: true });
    if (!run("python3", ["-m", "venv", venv]))
      throw new Error("python3 -m venv failed: Python 3.10 or newer with venv is needed");
  }
  const python = join(venv, "bin", "python");
  if (!run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV]))
    throw new Error("pip could not install uv");
  const day = EXCLUDE_NEWER.get(name);
  const pinned = ["--requirement", requirements, ...(day === undefined ? [] : ["--exclude-newer", day])];
  if (!run(join(venv, "bin", "uv"), ["pip", "install", "--quiet", "--python", python, ...pinned]))
    throw new Error(`uv could not install ${name}`);
  // Written last, so that an installation that was cut short leaves none.
  writeFileSync(stamp, wanted);
}

function installPython() {
  if (process.getuid?.() !== 0 || !run("apt-get", ["--version"]))
    throw new Error("Python 3.10 or newer with venv is needed (on Debian: apt-get install python3-venv)");
  run("apt-get", ["update", "-qq"]);
  if (!run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "python3-venv"]))
    throw new Error("apt-get could not install python3-venv");
}

/** @param {string} command @param {string[]} args */
function run(command, args) {
  return (
    spawnSync(command, args, {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    }).status === 0
  );
}
