import { keysOfCommand, type Command } from "./command.ts";
import { LostReplyError, type Connection, type Reply } from "./connection.ts";
import { CommandFailedError, OutcomeUnknownError, ServerRefusedError, type OccError } from "./errors.ts";
import { withEnds } from "./ends.ts";
import { failPoint } from "./fail-points.ts";
import { NO_PROBE, type CommitHook, type Premise, type Write } from "./hook.ts";
import { Images, type Collection } from "./images.ts";
import { typesOf, type Identity, type Lane } from "./lane.ts";
import { putCommands } from "./put-commands.ts";
import type { Transaction } from "./transaction.ts";

/** How an attempt of a group ended, for the transactions that have no answer yet. */
export type AttemptEnd =
  /** EXEC ran. Its callers are answered as soon as `firm` resolves. */
  | {
      readonly kind: "executed";
      readonly decided: readonly Transaction[];
      readonly firm: Promise<void>;
      readonly again: readonly Transaction[];
    }
  /** EXEC ran, and a command in it failed. `error` is what to answer, undefined where the writes stand all the same. */
  | {
      readonly kind: "half done";
      readonly decided: readonly Transaction[];
      readonly error: OccError | undefined;
      readonly again: readonly Transaction[];
    }
  /** A watched key had changed: nothing happened. */
  | { readonly kind: "conflict" }
  /** The hook found something missing: nothing happened. */
  | { readonly kind: "restore" }
  /** The answer of EXEC is lost. */
  | { readonly kind: "lost"; readonly lost: LostExec }
  /** There was nothing to execute. `again` asked for more keys. */
  | { readonly kind: "nothing"; readonly again: readonly Transaction[] };

/** What is needed to find out later whether an EXEC ran. */
export interface LostExec {
  readonly decided: readonly Transaction[];
  readonly writes: readonly Write[];
  readonly session: unknown;
  readonly watched: readonly (string | null)[];
  readonly premise: Premise | undefined;
  readonly connection: Connection;
  readonly identity: Identity;
  readonly stamp: string;
}

/** Seconds that a marker outlives its last EXEC: longer than anybody waits for an answer. */
const MARKER_TTL = 3600;

export interface AttemptOptions {
  readonly hook: CommitHook;
  /** Whether the database holds nothing but strings without a time to live: see OccOptions. */
  readonly dedicated: boolean;
}

/**
 * One attempt to commit a group, in two round trips: read; decide each transaction in turn on what the ones before it
 * left; write if all that was read is still current.
 *
 * A group in which every rule refused ends with an EXEC too. Only that proves that the refusals rest on a state that
 * was current, all of it at one instant.
 *
 * @throws ConnectionLostError, ServerRefusedError and what the hook throws, where nothing was changed
 */
export async function attempt(lane: Lane, options: AttemptOptions, group: readonly Transaction[]): Promise<AttemptEnd> {
  try {
    return await readDecideCommit(lane, options, group);
  } catch (error) {
    lane.discard();
    for (const transaction of group) transaction.markUnsent();
    throw error;
  }
}

async function readDecideCommit(
  lane: Lane,
  { hook, dedicated }: AttemptOptions,
  group: readonly Transaction[],
): Promise<AttemptEnd> {
  const { connection, identity } = lane;
  const declared = new Set<string>();
  for (const transaction of group) for (const key of transaction.keys) declared.add(key);
  const keys = [...declared];
  const collections = collectionsOf(group);
  const probe = hook.probe?.() ?? NO_PROBE;
  const read = await lane.read([...hook.watch, ...keys], probe, collections);
  const { values, replies, otherTypes, collections: contents } = read;
  const watched = values.slice(0, hook.watch.length);

  const session = await hook.check(watched, connection, replies, probe);
  if (session === null) {
    await lane.abandon();
    return { kind: "restore" };
  }

  const images = new Images(dedicated);
  keys.forEach((key, i) => images.set(key, values[hook.watch.length + i] ?? null));
  images.setTypes(otherTypes);
  collections.forEach((collection, i) => images.setCollection(collection, contents[i] ?? []));
  const { decided, writes: wanted, again } = decideAll(group, images, hook);
  if (decided.length === 0) {
    await lane.abandon();
    return { kind: "nothing", again };
  }
  if (!dedicated && (await declareOtherTypes(connection, declared, decided, wanted))) {
    await lane.abandon();
    return { kind: "nothing", again: group };
  }

  const writes = await withEnds(lane, hook, session, wanted);
  const stamp = identity.nextStamp();
  const own: Command[] =
    writes.length > 0 ? [["set", identity.marker, stamp, "EX", MARKER_TTL], ...putCommands(writes, dedicated)] : [];
  const first = own.length;
  for (const { beyond } of writes) if (beyond !== undefined) own.push(...beyond.commands);
  const added = hook.stage(session, writes);
  await failPoint("commit.before");
  for (const transaction of decided) transaction.markSent();

  const premise = hook.premise?.(session);
  let results;
  try {
    results = await lane.commit([...own, ...added], premise);
  } catch (error) {
    if (error instanceof LostReplyError) {
      return { kind: "lost", lost: { decided, writes, session, watched, premise, connection, identity, stamp } };
    }
    throw error;
  }
  if (results === null) {
    for (const transaction of decided) transaction.markUnsent();
    return { kind: "conflict" };
  }
  await failPoint("commit.after");
  if (own.length > first) spoilFailed(decided, results.slice(first, own.length));
  const failure = results.find((reply, i): reply is Error => reply instanceof Error && (i < first || i >= own.length));
  if (failure !== undefined) {
    const error = await putRight(hook, session, writes, lane, failure);
    return { kind: "half done", decided, error, again };
  }
  // What the hook throws at once must become a rejection too: as an error of `attempt` it would mean that nothing was
  // changed.
  const firm = (async () => hook.executed(session, writes, results.slice(own.length) as Reply[]))();
  return { kind: "executed", decided, firm, again };
}

/**
 * EXEC failed halfway. @returns what the group's transactions are told once the hook has dealt with that; undefined
 * where they stand
 */
async function putRight(
  hook: CommitHook,
  session: unknown,
  writes: readonly Write[],
  lane: Lane,
  failure: Error,
): Promise<OccError | undefined> {
  const what = `Redis failed in the middle of a transaction: ${failure.message}`;
  try {
    const stands = await lane.exclusively((connection) => hook.halfDone(session, writes, connection));
    return stands ? undefined : new ServerRefusedError(`${what}; it was undone`, { cause: failure });
  } catch (error) {
    return new OutcomeUnknownError(what, {
      cause: new AggregateError([failure, error], "a command failed, and the hook could not put it right"),
    });
  }
}

/** What the group's rules want to see as collections. */
function collectionsOf(group: readonly Transaction[]): Collection[] {
  const wanted = new Map<string, Collection>();
  for (const { collections } of group) {
    if (collections !== undefined) for (const [id, collection] of collections) wanted.set(id, collection);
  }
  return [...wanted.values()];
}

/** Decides the transactions in turn, each on the images that the ones before it left. Those that refuse drop out alone. */
function decideAll(group: readonly Transaction[], images: Images, hook: CommitHook) {
  const decided: Transaction[] = [];
  const writes: Write[] = [];
  const again: Transaction[] = [];
  for (const transaction of group) {
    if (transaction.answered) continue;
    const write = images.knows(transaction.keys) ? transaction.decide(images, hook) : "more";
    if (write === "more" || (write !== null && !images.knows(write.images.keys()))) {
      again.push(transaction);
      continue;
    }
    decided.push(transaction);
    transaction.write = write;
    if (write === null) continue;
    writes.push(write);
    for (const [key, image] of write.images) images.set(key, image);
    if (write.beyond === undefined) continue;
    for (const [key, { after }] of write.beyond.hashes ?? []) images.setHash(key, after);
    // What a command makes of its keys is seen by the next group.
    for (const command of write.beyond.commands) images.touch(keysOfCommand(command));
  }
  return { decided, writes, again };
}

/**
 * A key that is only written has not been read: it may hold something that the write must not replace. It is looked up here,
 * and not watched.
 * @returns true where there is one: the transactions that write it declare it from now on, and refuse by themselves
 */
async function declareOtherTypes(
  connection: Connection,
  read: ReadonlySet<string>,
  decided: readonly Transaction[],
  writes: readonly Write[],
): Promise<boolean> {
  const unread = new Set<string>();
  for (const { images } of writes) for (const key of images.keys()) if (!read.has(key)) unread.add(key);
  if (unread.size === 0) return false;
  const keys = [...unread];
  const [present] = await connection.pipeline([["exists", ...keys]]);
  if (present === 0) return false;
  const types = await typesOf(connection, keys);
  for (const { keys: declared, write } of decided) {
    for (const key of write?.images.keys() ?? []) if (types.has(key)) declared.add(key);
  }
  return types.size > 0;
}

/** Of the replies to the commands that rules added: one that failed concerns its own transaction alone. */
function spoilFailed(decided: readonly Transaction[], replies: readonly (Reply | Error)[]): void {
  let next = 0;
  for (const transaction of decided) {
    for (const [name] of transaction.write?.beyond?.commands ?? []) {
      const reply = replies[next++];
      if (!(reply instanceof Error)) continue;
      transaction.spoil(new CommandFailedError(`${name} failed in EXEC: ${reply.message}`, { cause: reply }));
    }
  }
}
