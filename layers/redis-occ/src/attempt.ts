import { LostReplyError, type Command, type Connection, type Reply } from "./connection.ts";
import { OutcomeUnknownError, ServerRefusedError, type OccError } from "./errors.ts";
import { failPoint } from "./fail-points.ts";
import { NO_PROBE, type CommitHook, type Premise, type Write } from "./hook.ts";
import type { Identity, Lane } from "./lane.ts";
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

/** Arguments of one command, an even number: Lua passes them as arguments of a function, whose number is limited. */
const MAX_ARGUMENTS = 5_000;

/**
 * One attempt to commit a group, in two round trips: read; decide each transaction in turn on what the ones before it
 * left; write if all that was read is still current.
 *
 * A group in which every rule refused ends with an EXEC too. Only that proves that the refusals rest on a state that
 * was current, all of it at one instant.
 *
 * @throws ConnectionLostError, ServerRefusedError and what the hook throws, where nothing was changed
 */
export async function attempt(lane: Lane, hook: CommitHook, group: readonly Transaction[]): Promise<AttemptEnd> {
  try {
    return await readDecideCommit(lane, hook, group);
  } catch (error) {
    lane.discard();
    for (const transaction of group) transaction.markUnsent();
    throw error;
  }
}

async function readDecideCommit(lane: Lane, hook: CommitHook, group: readonly Transaction[]): Promise<AttemptEnd> {
  const { connection, identity } = lane;
  const declared = new Set<string>();
  for (const transaction of group) for (const key of transaction.keys) declared.add(key);
  const keys = [...declared];
  const probe = hook.probe?.() ?? NO_PROBE;
  const { values, replies } = await lane.read([...hook.watch, ...keys], probe.commands);
  const watched = values.slice(0, hook.watch.length);

  const session = await hook.check(watched, connection, replies, probe);
  if (session === null) {
    await lane.abandon();
    return { kind: "restore" };
  }

  const images = new Map<string, string | null>();
  keys.forEach((key, i) => images.set(key, values[hook.watch.length + i] ?? null));
  const { decided, writes, again } = decideAll(group, images, hook);
  if (decided.length === 0) {
    await lane.abandon();
    return { kind: "nothing", again };
  }

  const stamp = identity.nextStamp();
  const own: Command[] =
    writes.length > 0 ? [["set", identity.marker, stamp, "EX", MARKER_TTL], ...imageCommands(writes)] : [];
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
  const failure = results.find((reply) => reply instanceof Error);
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

/** Decides the transactions in turn, each on the images that the ones before it left. Those that refuse drop out alone. */
function decideAll(group: readonly Transaction[], images: Map<string, string | null>, hook: CommitHook) {
  const decided: Transaction[] = [];
  const writes: Write[] = [];
  const again: Transaction[] = [];
  for (const transaction of group) {
    if (transaction.answered) continue;
    const write = transaction.decide(images, hook);
    if (write === "more") {
      again.push(transaction);
      continue;
    }
    decided.push(transaction);
    if (write === null) continue;
    writes.push(write);
    for (const [key, image] of write.images) images.set(key, image);
  }
  return { decided, writes, again };
}

/** The commands that put the last image of each written key. */
function imageCommands(writes: readonly Write[]): Command[] {
  const last = new Map<string, string | null>();
  for (const write of writes) for (const [key, image] of write.images) last.set(key, image);
  const put: string[] = [];
  const deleted: string[] = [];
  for (const [key, image] of last) {
    if (image === null) deleted.push(key);
    else put.push(key, image);
  }
  const commands: Command[] = [];
  for (let i = 0; i < put.length; i += MAX_ARGUMENTS) commands.push(["mset", ...put.slice(i, i + MAX_ARGUMENTS)]);
  for (let i = 0; i < deleted.length; i += MAX_ARGUMENTS)
    commands.push(["del", ...deleted.slice(i, i + MAX_ARGUMENTS)]);
  return commands;
}
