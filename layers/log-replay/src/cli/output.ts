import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import { styleText } from "node:util";
import { ToolError } from "./exit.ts";

/**
 * Prints a line at the pace of whoever reads it.
 *
 * @example
 * for await (const record of readHistory(store)) await print(record.at);
 */
export async function print(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, "drain");
}

/**
 * Prints a value as JSON on a line of its own.
 *
 * @example
 * await printJson({ shop: "north", commits: 12 });
 */
export async function printJson(value: unknown): Promise<void> {
  await print(JSON.stringify(value));
}

/**
 * Coloured on a terminal only, unless NO_COLOR or FORCE_COLOR says otherwise.
 *
 * @example
 * await print(paint("red", "damage"));
 */
export function paint(style: Parameters<typeof styleText>[0], text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

/**
 * A number with its noun.
 *
 * @example
 * count(1, "commit"); // "1 commit"
 * count(1_200, "commit"); // "1,200 commits"
 */
export function count(number: number, what: string): string {
  return `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;
}

/**
 * When a key ends, to stand behind its value.
 * @param end milliseconds since 1970; null for a key that stays; undefined where that is not worth a word
 */
export function until(end: number | null | undefined): string {
  if (end === undefined) return "";
  return end === null ? "  for ever" : `  until ${new Date(end).toISOString()}`;
}

/** What stands before the fields of a hash: a string may hold the same object. */
export function hashMark(isHash: boolean | undefined): string {
  return isHash === true ? "hash " : "";
}

/**
 * Asks before something is done that cannot be taken back.
 * @param yes it was answered beforehand, by an option
 * @throws ToolError where nobody can be asked
 *
 * @example
 * if (await confirmed("Delete it?", false)) await rm("seats-log", { recursive: true });
 */
export async function confirmed(question: string, yes: boolean): Promise<boolean> {
  if (yes) return true;
  if (!process.stdin.isTTY) throw new ToolError("nobody is here to be asked: pass --yes to do it");
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await asking.question(`${question} [y/N] `)).trim());
  } finally {
    asking.close();
  }
}
