/** Runs the command of the documentation on the segments in folder ARGV[1]. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const folder = process.argv[2] ?? "";
const text = readFileSync(new URL("../../../../docs/log.md", import.meta.url), "utf8");
const command = /^cat segment-.*$/m.exec(text)?.[0];
if (command === undefined) throw new Error("docs/log.md does not give the command");
process.stdout.write(execFileSync("sh", ["-c", command], { cwd: folder, maxBuffer: 100_000_000 }));
