import type { CommitHook, Write } from "./hook.ts";
import type { Lane } from "./lane.ts";

/**
 * The writes with the instants at which their keys end, where the hook wants to know them: those that a rule gave as a time to
 * live, and of a key that keeps what it has, what it has. One round trip for the latter.
 */
export async function withEnds(
  lane: Lane,
  hook: Pick<CommitHook, "endsFrom">,
  session: unknown,
  writes: readonly Write[],
): Promise<readonly Write[]> {
  if (writes.length === 0 || hook.endsFrom?.(session) === undefined) return writes;
  const kept = keptBy(writes);
  const found = kept.length > 0 ? await lane.endsOf(kept) : [];
  const ends = new Map(kept.map((key, i) => [key, found[i] ?? null]));
  // Asked for again, so that what is counted from is the time of the commit.
  const now = hook.endsFrom(session) ?? 0;
  return writes.map((write) => {
    const own = new Map<string, number>();
    eachLife(write, (key, life) => {
      if (life !== undefined) ends.set(key, life === null ? null : now + life);
      const end = ends.get(key) ?? null;
      if (end !== null) own.set(key, end);
    });
    return { ...write, ends: own };
  });
}

/**
 * What a write says of how long its keys live from now on: milliseconds, null for ever (as what has gone has no end), undefined
 * as long as they had to.
 */
export function eachLife(
  { images, beyond }: Write,
  visit: (key: string, life: number | null | undefined) => void,
): void {
  for (const [key, image] of images) visit(key, image === null ? null : beyond?.ttls.get(key));
  if (beyond?.hashes === undefined) return;
  for (const [key, { isNew }] of beyond.hashes) {
    const ttl = beyond.ttls.get(key);
    visit(key, ttl === undefined && isNew ? null : ttl);
  }
}

/** The keys of which the first write says nothing about how long they live. */
function keptBy(writes: readonly Write[]): string[] {
  const kept = new Map<string, boolean>();
  for (const write of writes)
    eachLife(write, (key, life) => {
      if (!kept.has(key)) kept.set(key, life === undefined);
    });
  return [...kept].flatMap(([key, keeps]) => (keeps ? [key] : []));
}

/** When the keys end that all the writes together leave. */
export function endsIn(writes: readonly Write[]): ReadonlyMap<string, number> {
  const last = new Map<string, number>();
  for (const write of writes) {
    const { ends } = write;
    if (ends === undefined) continue;
    eachLife(write, (key) => {
      const end = ends.get(key);
      if (end === undefined) last.delete(key);
      else last.set(key, end);
    });
  }
  return last;
}
