import type { LogStore } from "../stores/store.ts";

/** A file of no known kind, and what that means. */
export interface Stray {
  readonly file: string;
  readonly what: string;
}

/** How the names of the files of a log begin. */
const OWN = /^(?:archive\/)?(?:segment|snapshot|claim|begin|store)\b/;

/**
 * What lies in the log's place and is of no kind that the store knows. Nobody reads it. Where it is a segment that was renamed,
 * its commits are missing everywhere else, and a repair would end the history before them.
 */
export async function findStrays(store: LogStore): Promise<Stray[]> {
  const names = (await store.strays?.()) ?? [];
  return [...names].sort().map((file) => ({
    file,
    what: OWN.test(file)
      ? "it is not read, because it has lost its name: rename it back before a repair, which may end the history where its commits are missing"
      : "a file of no known kind, which is not read",
  }));
}
