import type { Command } from "./command.ts";
import { eachLife, endsIn } from "./ends.ts";
import type { Write } from "./hook.ts";

/** Arguments of one command, an even number: Lua passes them as arguments of a function, whose number is limited. */
const MAX_ARGUMENTS = 5_000;

/** The commands that put what the writes together leave: the last image of each key, then what of hashes has changed. */
export function putCommands(writes: readonly Write[], dedicated: boolean): Command[] {
  const { images, hashes } = merged(writes);
  const put: string[] = [];
  const deleted: string[] = [];
  const commands: Command[] = [];
  const ttls = dedicated ? undefined : ttlsOf(writes);
  const ends = endsIn(writes);
  for (const [key, image] of images) {
    const end = ends.get(key);
    if (image === null) deleted.push(key);
    else if (end !== undefined) commands.push(["set", key, image, "PXAT", end]);
    else if (ttls === undefined) put.push(key, image);
    else commands.push(setCommand(key, image, ttls.get(key)));
  }
  commands.push(...inParts(["mset"], put), ...inParts(["del"], deleted));
  if (hashes !== undefined)
    for (const [key, changed] of hashes)
      commands.push(...hashCommands(key, changed), ...lifeCommands(key, ttls?.get(key), ends.get(key)));
  return commands;
}

interface Merged {
  readonly images: Map<string, string | null>;
  /** Of each hash its fields that change after what stands in its place among the images; undefined where there is none. */
  readonly hashes: Map<string, Map<string, string | null>> | undefined;
}

function merged(writes: readonly Write[]): Merged {
  const images: Merged["images"] = new Map();
  let hashes: Merged["hashes"];
  for (const write of writes) {
    for (const [key, image] of write.images) {
      images.set(key, image);
      hashes?.delete(key);
    }
    if (write.beyond?.hashes === undefined) continue;
    for (const [key, { changed }] of write.beyond.hashes) {
      hashes ??= new Map();
      const all = hashes.get(key) ?? new Map<string, string | null>();
      for (const [field, text] of changed) all.set(field, text);
      hashes.set(key, all);
    }
  }
  return { images, hashes };
}

/** New fields first: Redis deletes a hash that has none for a moment, and its time to live with it. */
function hashCommands(key: string, changed: ReadonlyMap<string, string | null>): Command[] {
  const put: string[] = [];
  const removed: string[] = [];
  for (const [field, text] of changed) {
    if (text === null) removed.push(field);
    else put.push(field, text);
  }
  return [...inParts(["hset", key], put), ...inParts(["hdel", key], removed)];
}

/** @param ttl as of `setCommand`; @param end the instant, where that is known */
function lifeCommands(key: string, ttl: number | null | undefined, end: number | undefined): Command[] {
  if (end !== undefined) return [["pexpireat", key, end]];
  if (ttl === undefined) return [];
  return [ttl === null ? ["persist", key] : ["pexpire", key, ttl]];
}

/** What the writes together make of the times to live: milliseconds, null for none, absent where a key keeps what it has. */
function ttlsOf(writes: readonly Write[]): Map<string, number | null> {
  const ttls = new Map<string, number | null>();
  for (const write of writes)
    eachLife(write, (key, life) => {
      if (life !== undefined) ttls.set(key, life);
    });
  return ttls;
}

function setCommand(key: string, image: string, ttl: number | null | undefined): Command {
  if (ttl === undefined) return ["set", key, image, "KEEPTTL"];
  return ttl === null ? ["set", key, image] : ["set", key, image, "PX", ttl];
}

/** As many commands as the arguments need; none for none. */
function inParts(head: Command, args: readonly string[]): Command[] {
  const commands: Command[] = [];
  for (let i = 0; i < args.length; i += MAX_ARGUMENTS) commands.push([...head, ...args.slice(i, i + MAX_ARGUMENTS)]);
  return commands;
}
