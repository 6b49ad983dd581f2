/**
 * Loaded into a process before its code (`node --import`): makes the fail points do what FAIL_POINT says, or what the
 * parent sends as `{ faults: "…" }` while it runs. Appends what has struck to the file FAIL_POINT_REPORT.
 */
import { appendFileSync } from "node:fs";
import { FAIL_POINT_HOOK, type FailPointHook } from "redis-occ/fail-points";
import { parseFaults, type Fault } from "./catalogue.ts";
import { tearNextWrite } from "./short-write.ts";

const DELAY = 250;
const report = process.env["FAIL_POINT_REPORT"];
let faults: readonly Fault[] = parseFaults(process.env["FAIL_POINT"] ?? "");
let passes = new Map<string, number>();

const hook: FailPointHook = (name) => {
  const pass = (passes.get(name) ?? 0) + 1;
  passes.set(name, pass);
  const fault = faults.find(({ point, nth }) => point === name && (nth === 0 || nth === pass));
  return fault === undefined ? Promise.resolve() : strike(fault);
};
(globalThis as { [FAIL_POINT_HOOK]?: FailPointHook })[FAIL_POINT_HOOK] = hook;

process.on("message", (message: unknown) => {
  const { faults: text } = message as { faults?: unknown };
  if (typeof text !== "string") return;
  faults = parseFaults(text);
  passes = new Map();
  process.send?.({ armed: text });
});

async function strike({ point, action, ms = DELAY }: Fault): Promise<void> {
  if (report !== undefined) appendFileSync(report, `${point}:${action}\n`);
  switch (action) {
    case "kill":
      process.kill(process.pid, "SIGKILL");
      return new Promise(() => undefined);
    case "delay":
      return new Promise((resolve) => setTimeout(resolve, ms));
    case "drop":
      throw Object.assign(new Error(`dropped at ${point}`), { code: "ECONNRESET" });
    case "EIO":
    case "ENOSPC":
      throw Object.assign(new Error(`${action}: at ${point}`), { code: action });
    case "short":
      return tearNextWrite(() => {
        throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
      });
    case "torn":
      return tearNextWrite(() => {
        process.kill(process.pid, "SIGKILL");
        throw new Error("killed");
      });
  }
}
