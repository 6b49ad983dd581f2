import { jest } from "@jest/globals";
import { setImmediate } from "node:timers/promises";

/** The lines of the request log that come of some work. */
export async function logged(work: () => Promise<unknown>): Promise<Record<string, unknown>[]> {
  process.env["LOG_LEVEL"] = "info";
  const lines: string[] = [];
  const write = jest.spyOn(process.stdout, "write").mockImplementation((line) => (lines.push(String(line)), true));
  try {
    await work();
    // Lines are written at the end of the event loop's turn.
    await setImmediate();
  } finally {
    write.mockRestore();
    process.env["LOG_LEVEL"] = "silent";
  }
  return lines.flatMap((text) => text.trimEnd().split("\n")).map((line) => JSON.parse(line) as Record<string, unknown>);
}
