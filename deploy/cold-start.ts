/**
 * `npm run cold-start`: how long Node takes to load what a function is made of, layers included, before it can take its
 * first request; the median of many new processes. It does the same for an empty module, and for Amazon's S3 client,
 * which the shop does without.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { packed } from "./package-folder.ts";

const PROCESSES = 15;
const SCRIPT =
  "const t = process.cpuUsage(), s = performance.now(); await import(process.argv[1]); const c = process.cpuUsage(t); console.log(performance.now() - s, (c.user + c.system) / 1000);";

const made = await packed();
print("an empty module", "data:text/javascript,");
for (const name of ["stock-find", "payment-charge", "order-checkout", "order-resume-sagas"]) {
  const [service, ...operation] = name.split("-");
  print(name, pathToFileURL(join(made.unpack(name), "functions", service ?? "", `${operation.join("-")}.mjs`)).href);
}
print(
  "log-replay/s3, loaded at the first request",
  pathToFileURL(join(made.unpack("stock-find"), "..", "node_modules", "log-replay", "dist", "stores", "s3", "index.js"))
    .href,
);
print("@aws-sdk/client-s3, for comparison", import.meta.resolve("@aws-sdk/client-s3"));
made.remove();

function print(what: string, url: string): void {
  const runs = Array.from({ length: PROCESSES }, () =>
    execFileSync(process.execPath, ["--input-type=module", "--eval", SCRIPT, url])
      .toString()
      .trim()
      .split(" ")
      .map(Number),
  );
  const median = (index: number): string =>
    (runs.map((run) => run[index] ?? 0).sort((a, b) => a - b)[Math.floor(PROCESSES / 2)] ?? 0).toFixed(0).padStart(5);
  process.stdout.write(`${what.padEnd(44)} ${median(0)} ms, ${median(1)} ms of CPU\n`);
}
