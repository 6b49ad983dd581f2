import type { FramedLine } from "../format/frame.ts";
import { hasLongEnded } from "../format/long-ended.ts";
import { lengthOf, merged, presentIn, type Change, type FieldChanges, type Merged } from "../format/change.ts";
import { eachChange, encodeEnds, encodeHashes, type Entry } from "../format/record.ts";

/** What the keys of one commit have in common. */
interface Commit {
  readonly epoch: number;
  readonly n: number;
  readonly at: number;
}

interface Last {
  readonly value: Merged;
  /** When the key ends; null where it stays. */
  readonly end: number | null;
  readonly commit: Commit;
}

/** What an entry of a map takes besides its two strings; bytes, approximately. */
const ENTRY_BYTES = 100;

/** What some stretch of the history makes of every key that it writes, and the last commit that wrote it. */
export class NewestImages {
  /** In the order of the commits. */
  readonly #last = new Map<string, Last>();
  #bytes = 0;

  /** Bytes that it takes, approximately. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What of an older image still stands; null where nothing does. @param older of a hash those of its fields that a line has */
  leftOf(key: string, older: string | FieldChanges): string | FieldChanges | null {
    const last = this.#last.get(key);
    if (last === undefined) return older;
    const { value } = last;
    if (typeof older === "string" || value === null || typeof value === "string" || value.isWhole) return null;
    const { fields } = value;
    const left = new Map([...older].filter(([field]) => !fields.has(field)));
    return left.size > 0 ? left : null;
  }

  add({ epoch, n, line }: FramedLine): void {
    let commit: Commit | undefined;
    eachChange(line, `epoch ${epoch}`, (key, change, at, end) => {
      commit ??= { epoch, n, at };
      const before = this.#last.get(key);
      // Deleted first, so that it goes to the end, where the later commits are.
      if (before !== undefined) this.#last.delete(key);
      else this.#bytes += ENTRY_BYTES + key.length;
      this.#bytes += growthOf(before?.value, change);
      this.#last.set(key, { value: merged(before?.value, change), end, commit });
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
    for (const [key, { value, end, commit: own }] of this.#last) {
      if (value === null || hasLongEnded(end, time)) continue;
      const image = typeof value === "string" ? value : presentIn(value.fields);
      if (typeof image === "object" && image.size === 0) continue;
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

/** Characters by which a change makes what is kept of its key longer. */
function growthOf(before: Merged | undefined, change: Change): number {
  const former = (typeof before === "object" ? before?.fields : before) ?? null;
  const fields = typeof former === "object" ? former : null;
  if (change === null || typeof change === "string")
    return lengthOf(change) - lengthOf(former) - ENTRY_BYTES * (fields?.size ?? 0);
  let growth = 0;
  for (const [field, text] of change) {
    const known = fields?.get(field);
    growth += lengthOf(text) - (known === undefined ? -field.length - ENTRY_BYTES : lengthOf(known));
  }
  return growth;
}

/** What a snapshot keeps of one commit. */
export class KeptImages {
  readonly #images: string[] = [];
  #hashes: Map<string, FieldChanges> | undefined;
  #ends: Map<string, number> | undefined;

  get size(): number {
    return this.#images.length + (this.#hashes?.size ?? 0);
  }

  add(key: string, image: string | FieldChanges, end: number | null): void {
    if (typeof image === "string") this.#images.push(`${JSON.stringify(key)}:${image}`);
    else (this.#hashes ??= new Map()).set(key, image);
    if (end !== null) (this.#ends ??= new Map()).set(key, end);
  }

  /** @param at the commit's time; milliseconds since 1970 */
  body(at: number): string {
    const hashes = this.#hashes ? encodeHashes(this.#hashes) : "";
    const ends = this.#ends ? encodeEnds(this.#ends) : "";
    return `"at":"${new Date(at).toISOString()}","set":{${this.#images.join(",")}}${hashes}${ends}`;
  }
}
