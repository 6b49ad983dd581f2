import type { FramedLine } from "../format/frame.ts";
import { eachImage, type Entry } from "../format/record.ts";

/** What the keys of one commit have in common. */
interface Commit {
  readonly epoch: number;
  readonly n: number;
  readonly at: number;
}

/** What an entry of a map takes besides its two strings; bytes, approximately. */
const ENTRY_BYTES = 100;

/** The last image of every key that some stretch of the history writes, and the commit that wrote it. */
export class NewestImages {
  /** In the order of the commits. */
  readonly #last = new Map<string, { readonly image: string | null; readonly commit: Commit }>();
  #bytes = 0;

  /** Bytes that it takes, approximately. */
  get bytes(): number {
    return this.#bytes;
  }

  has(key: string): boolean {
    return this.#last.has(key);
  }

  add({ epoch, n, line }: FramedLine): void {
    let commit: Commit | undefined;
    eachImage(line, `epoch ${epoch}`, (key, image, at) => {
      commit ??= { epoch, n, at };
      const before = this.#last.get(key);
      // Deleted first, so that it goes to the end, where the later commits are.
      if (before !== undefined) this.#last.delete(key);
      this.#last.set(key, { image, commit });
      this.#bytes +=
        before === undefined ? ENTRY_BYTES + key.length + lengthOf(image) : lengthOf(image) - lengthOf(before.image);
    });
  }

  /**
   * The commits with those of their images that no later one has overwritten, in order. Keys that are deleted in the
   * end are left out.
   */
  *records(): Generator<Entry> {
    let commit: Commit | undefined;
    let images: string[] = [];
    for (const [key, last] of this.#last) {
      if (last.image === null) continue;
      if (commit !== undefined && last.commit !== commit) {
        yield entry(commit, images);
        images = [];
      }
      commit = last.commit;
      images.push(`${JSON.stringify(key)}:${last.image}`);
    }
    if (commit !== undefined) yield entry(commit, images);
  }
}

const lengthOf = (image: string | null): number => image?.length ?? 0;

function entry({ epoch, n, at }: Commit, images: readonly string[]): Entry {
  return { epoch, n, body: `"at":"${new Date(at).toISOString()}","set":{${images.join(",")}}` };
}
