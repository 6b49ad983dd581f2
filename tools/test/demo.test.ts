import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { told } from "./support.ts";

test("npm run demo -- --fast tells the whole story, and leaves nothing behind", async () => {
  const folder = mkdtempSync(join(tmpdir(), "demo-"));
  try {
    const { code, stdout, stderr } = await told("npm", ["run", "--silent", "demo", "--", "--fast"], { TMPDIR: folder });
    expect(stderr.split("\n").filter((line) => !line.startsWith("npm warn"))).toEqual([""]);
    expect(code).toBe(0);
    const story = [
      "stock 10  credit 12",
      "A checkout that succeeds",
      "200 paid",
      "stock 8  credit 2  order paid",
      "reserve",
      "charge",
      "saga_paid",
      "A checkout that fails",
      '400 {"error":{"code":"insufficient_credit"',
      "stock 8  credit 2  order not paid",
      '{"state":"refused","code":"insufficient_credit"',
      "release",
      "saga_closed",
      "in the middle of a checkout",
      "kill -9",
      "no answer",
      "saga_abandoned",
      "refund",
      "release",
      "saga_closed",
      "200 paid",
      "stock 5  credit 7  order paid",
      "A Redis that is killed",
      "kill -9",
      "stock 5  credit 7",
      "order    sound",
      "stock    sound",
      "payment  sound",
      "2 paid, 2 failed, 0 open",
      "conserved",
    ];
    let from = 0;
    for (const passage of story) {
      const at = stdout.indexOf(passage, from);
      if (at < 0)
        throw new Error(`"${passage}" is not told after:\n${stdout.slice(0, from)}\nbut:\n${stdout.slice(from)}`);
      from = at + passage.length;
    }
    expect(readdirSync(folder)).toEqual([]);
    expect(processesOf(folder)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 180_000);

/** All processes that were started with it, because it is in their environment. */
function processesOf(folder: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, "utf8").includes(folder);
    } catch {
      return false;
    }
  });
}
