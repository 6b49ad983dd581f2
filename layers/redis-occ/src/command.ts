import { exists, getKeyIndexes, hasFlag } from "@ioredis/commands";

/**
 * One Redis command: its name, then its arguments.
 *
 * @example
 * const command: Command = ["zadd", "board", 120, "ann"];
 */
export type Command = readonly [string, ...(string | number | Buffer)[]];

const ANY_CASE = { nameCaseInsensitive: true } as const;

/** Change nothing, and lack the mark "readonly" for other reasons: they look at no key. */
const HARMLESS = new Set(["echo", "info", "ping", "time", "lastsave"]);

/** @throws TypeError for a command that writes, or of which that is not known */
export function assertReadOnly(command: Command): void {
  assertCommand(command);
  const name = command[0].toLowerCase();
  if (HARMLESS.has(name) || (isKnown(name) && hasFlag(name, "readonly"))) return;
  throw new TypeError(`${command[0]} is not a command that only reads`);
}

/** What would reach beyond the transaction: keys of others, the database, or the user. Those that no script may run besides. */
const BEYOND = new Set(["flushall", "flushdb", "select", "swapdb", "script", "function", "client", "config"]);

/** Nothing else may touch them: the fences and markers of transactions. */
const RESERVED = "occ:";

/** @throws TypeError for what cannot be a part of a transaction */
export function assertAddable(command: Command): void {
  assertCommand(command);
  const name = command[0].toLowerCase();
  if (BEYOND.has(name) || (isKnown(name) && hasFlag(name, "noscript"))) {
    throw new TypeError(`a rule cannot add ${command[0]}`);
  }
  if (keysOfCommand(command)?.some((key) => key.startsWith(RESERVED))) {
    throw new TypeError(`keys that begin with ${RESERVED} are reserved`);
  }
}

/** The keys that a command may touch; null where that is not known. */
export function keysOfCommand(command: Command): string[] | null {
  const [name, ...args] = command;
  if (!isKnown(name)) return null;
  return getKeyIndexes(name, args, ANY_CASE).flatMap((i) => (args[i] === undefined ? [] : [String(args[i])]));
}

function isKnown(name: string): boolean {
  return exists(name, { caseInsensitive: true });
}

function assertCommand(command: unknown): asserts command is Command {
  const fits =
    Array.isArray(command) &&
    typeof command[0] === "string" &&
    command.every((word) => typeof word === "string" || Number.isFinite(word) || Buffer.isBuffer(word));
  if (!fits) throw new TypeError("a command is an array of its name and its arguments: strings, numbers or Buffers");
}
