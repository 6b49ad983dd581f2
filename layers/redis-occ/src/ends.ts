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
    for (const [key, image] of write.images) {
      const ttl = image === null ? null : write.beyond?.ttls.get(key);
      if (ttl !== undefined) ends.set(key, ttl === null ? null : now + ttl);
      const end = ends.get(key) ?? null;
      if (end !== null) own.set(key, end);
    }
    return { ...write, ends: own };
  });
}

/** The keys of which the first write says nothing about how long they live. */
function keptBy(writes: readonly Write[]): string[] {
  const kept = new Map<string, boolean>();
  for (const { images, beyond } of writes)
    for (const [key, image] of images)
      if (!kept.has(key)) kept.set(key, image !== null && beyond?.ttls.get(key) === undefined);
  return [...kept].flatMap(([key, keeps]) => (keeps ? [key] : []));
}

/** When the keys end that all the writes together leave. */
export function endsIn(writes: readonly Write[]): ReadonlyMap<string, number> {
  const last = new Map<string, number>();
  for (const { images, ends } of writes) {
    if (ends === undefined) continue;
    for (const key of images.keys()) {
      const end = ends.get(key);
      if (end === undefined) last.delete(key);
      else last.set(key, end);
    }
  }
  return last;
}
