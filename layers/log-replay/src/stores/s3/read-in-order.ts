import { GoneError } from "../../errors.ts";
import type { Bucket } from "./bucket.ts";
import type { Listed } from "./listing.ts";

/** Requests that one reader has under way at most. */
const AHEAD = 32;

/**
 * The objects' contents as one sequence, in chunks of at most `chunk` bytes. They are fetched ahead in parallel: as
 * many at a time as fit into `chunk` bytes, at least one.
 * @throws GoneError if one of them is not there any more
 */
export async function* readInOrder(
  bucket: Bucket,
  objects: readonly Pick<Listed, "key" | "size">[],
  chunk: number,
): AsyncGenerator<Buffer> {
  const underWay: { readonly content: Promise<Buffer>; readonly size: number }[] = [];
  let bytes = 0;
  let next = 0;
  for (let read = 0; read < objects.length; read++) {
    for (; next < objects.length && underWay.length < AHEAD; next++) {
      const { key, size } = objects[next] as Pick<Listed, "key" | "size">;
      if (underWay.length > 0 && bytes + size > chunk) break;
      const content = fetch(bucket, key);
      // Reported where it is awaited; a reader that stops early awaits none of them.
      content.catch(() => undefined);
      underWay.push({ content, size });
      bytes += size;
    }
    const { content, size } = underWay.shift() as (typeof underWay)[number];
    const whole = await content;
    for (let at = 0; at < whole.length; at += chunk) yield whole.subarray(at, at + chunk);
    bytes -= size;
  }
}

async function fetch(bucket: Bucket, key: string): Promise<Buffer> {
  const content = await bucket.get(key);
  if (content === null) throw new GoneError(`${key} is no longer there`);
  return content;
}
