#!/usr/bin/env node
/** `npx shoplog`. It runs on the project's own Node, which can run TypeScript; the Node that started npx may not. */
import { spawn, spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const prepared = spawnSync(process.execPath, [join(root, "host", "bootstrap.mjs"), "--no-redis"], { stdio: "inherit" });
if (prepared.status !== 0) process.exit(2);
const env = { ...process.env, NODE_COMPILE_CACHE: join(root, "node_modules", ".cache", "node-compile") };
const tool = spawn(
  join(root, "node_modules", ".bin", "node"),
  [join(root, "tools", "main.ts"), ...process.argv.slice(2)],
  { stdio: "inherit", env },
);
// Ctrl-C goes to the whole group, so the tool ends by itself and this process waits for it; other signals come here only.
process.on("SIGINT", () => undefined);
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => tool.kill(signal));
tool.once("error", () => process.exit(2));
tool.once("exit", (code) => process.exit(code ?? 2));
