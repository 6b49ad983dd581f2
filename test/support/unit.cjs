"use strict";
/**
 * `jest --filter`: of the tests that were found, those that start no process. They need no Redis, and they are what runs
 * after every edit. A test belongs to them by what it imports, so there is no list to keep.
 */
const { readFileSync } = require("node:fs");
const { dirname, join } = require("node:path");

const IMPORT = /^(?:import|export)\s[^;]*?from\s+"([^"]+)"/gm;
/** What starts processes: Node, and what drives a browser. */
const STARTS = new Set(["node:child_process", "playwright-core"]);

/** @param {string[]} paths @returns {{ filtered: string[] }} */
module.exports = async (paths) => ({ filtered: paths.filter((path) => !startsProcesses(path)) });

/** Whether the module, or one that it imports by a path, imports what starts processes. */
function startsProcesses(path, seen = new Set()) {
  if (seen.has(path)) return false;
  seen.add(path);
  const imports = [...readFileSync(path, "utf8").matchAll(IMPORT)].map(([, name]) => name);
  return imports.some(
    (name) => STARTS.has(name) || (/^[.].*[.]ts$/.test(name) && startsProcesses(join(dirname(path), name), seen)),
  );
}
