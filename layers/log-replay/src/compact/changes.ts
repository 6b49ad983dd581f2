import type { FramedLine } from "../format/frame.ts";
import { hasLongEnded } from "../format/long-ended.ts";
import { eachImage, encodeEnds, type Entry } from "../format/record.ts";

/** What the keys of one commit have in common. */
interface Commit {
  readonly epoch: number;
  readonly n: number;
  readonly at: number;
}

interface Last {
  readonly image: string | null;
  /** When the key ends; null where it stays. */
  readonly end: number | null;
  readonly commit: Commit;
}

/** What an entry of a map takes besides its two strings; bytes, approximately. */
const ENTRY_BYTES = 100;

/** The last image of every key that some stretch of the history writes, and the commit that wrote it. */
export class NewestImages {
  /** In the order of the commits. */
  readonly #last = new Map<string, Last>();
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
    eachImage(line, `epoch ${epoch}`, (key, image, at, end) => {
      commit ??= { epoch, n, at };
      const before = this.#last.get(key);
      // Deleted first, so that it goes to the end, where the later commits are.
      if (before !== undefined) this.#last.delete(key);
      this.#last.set(key, { image, end, commit });
      this.#bytes +=
        before === undefined ? ENTRY_BYTES + key.length + lengthOf(image) : lengthOf(image) - lengthOf(before.image);
    });
  }

  /**
   * The commits with those of their images that no later one has overwritten, in order. Keys that are deleted in the
   * end are left out.
   * @param time milliseconds since 1970: keys that had ended long before are left out too
   */
  *records(time: number): Generator<Entry> {
    let commit: Commit | undefined;
    let kept = new KeptImages();
    for (const [key, { image, end, commit: own }] of this.#last) {
      if (image === null || hasLongEnded(end, time)) continue;
      if (commit !== undefined && own !== commit) {
        yield { ...commit, body: kept.body(commit.at) };
        kept = new KeptImages();
      }
      commit = own;
      kept.add(key, image, end);
    }
    if (commit !== undefined) yield { ...commit, body: kept.body(commit.at) };
  }
}

const lengthOf = (image: string | null): number => image?.length ?? 0;

/** What a snapshot keeps of one commit. */
export class KeptImages {
  readonly #images: string[] = [];
  readonly #ends = new Map<string, number>();

  get size(): number {
    return this.#images.length;
  }

  add(key: string, image: string | null, end: number | null): void {
    this.#images.push(`${JSON.stringify(key)}:${image ?? "null"}`);
    if (end !== null) this.#ends.set(key, end);
  }

  /** @param at the commit's time; milliseconds since 1970 */
  body(at: number): string {
    return `"at":"${new Date(at).toISOString()}","set":{${this.#images.join(",")}}${encodeEnds(this.#ends)}`;
  }
}
