import type { Command, CommitMode, Reply } from "redis-occ";
import { BODY, LAST, TAIL } from "./keys.ts";
import type { Entry } from "../format/record.ts";

/**
 * KEYS     the tail, the number of the last commit
 * ARGV     the id, the field, and the value of each entry
 * returns  the id of the last one
 */
const APPEND = `
local id
for i = 3, #ARGV do id = redis.call('XADD', KEYS[1], ARGV[1], ARGV[2], ARGV[i]) end
redis.call('INCRBY', KEYS[2], #ARGV - 2)
return id
`;

/**
 * The tail: a stream in Redis with the commits that may not be durable yet. Redis numbers them, in the same MULTI that
 * makes them: an entry's id is `epoch-n`.
 * @returns the commands, and which of their replies is the id of the last entry; those before it have the numbers before
 */
export function appendToTail(
  epoch: number,
  bodies: readonly string[],
  commit: CommitMode,
): { readonly commands: Command[]; readonly last: number } {
  const id = `${epoch}-*`;
  // A command for each would cost a client more than all else that it sends of a transaction. Scripts call no scripts.
  if (commit === "watch" && bodies.length > 1)
    return { commands: [["eval", APPEND, 2, TAIL, LAST, id, BODY, ...bodies]], last: 0 };
  const commands: Command[] = bodies.map((body) => ["xadd", TAIL, id, BODY, body]);
  if (bodies.length > 0) commands.push(["incrby", LAST, bodies.length]);
  return { commands, last: bodies.length - 1 };
}

/** Everything after commit `n`, or everything there is if nothing is known. */
export function readTailAfter(epoch: number, n: number | null): Command {
  return ["xrange", TAIL, n === null ? "-" : `${epoch}-${n + 1}`, "+"];
}

/** The oldest entry: all before it is durable. */
export function readFirstOfTail(): Command {
  return ["xrange", TAIL, "-", "+", "COUNT", 1];
}

/** Drops what is durable. */
export function trimTail(epoch: number, durable: number): Command {
  return ["xtrim", TAIL, "MINID", `${epoch}-${durable + 1}`];
}

/** The entries of a reply to `readTailAfter`. */
export function parseTail(reply: Reply | undefined): Entry[] {
  if (!Array.isArray(reply)) throw new TypeError("XRANGE did not give a list");
  return reply.map((item) => {
    const [id, fields] = item as [string, string[]];
    return { ...parseId(id), body: fields[1] ?? "" };
  });
}

/** The position that an entry's id names. */
export function parseId(id: Reply | undefined): { epoch: number; n: number } {
  const [epoch, n] = String(id).split("-").map(Number);
  if (epoch === undefined || n === undefined || Number.isNaN(n))
    throw new TypeError(`${String(id)} is no id of the tail`);
  return { epoch, n };
}
