/** Frames to read, and their reader. */
import type { LogDamageError } from "../../src/errors.ts";
import { readFrames, type End, type FramedLine, type ReadOffset } from "../../src/format/frame.ts";
import { encodeBody, encodeNotes, type Entry } from "../../src/format/record.ts";

/** A record that sets one key. */
export const entry = (n: number, value: unknown): Entry => ({
  epoch: 1,
  n,
  body: encodeBody(
    "2026-01-31T12:00:00.000Z",
    `t-${n}`,
    encodeNotes({ op: "put" }),
    new Map([[`k:${n} @`, JSON.stringify(value)]]),
  ),
});

export async function* chunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

/** A line, with its text, because its bytes are valid until the next frame only. */
export type ReadLine = Omit<FramedLine, "line"> & { readonly text: string };

/** All that a reader finds that goes on after damage. */
export interface Found {
  readonly frames: readonly { readonly offset: number; readonly lines: readonly ReadLine[] }[];
  readonly end: End;
  /** `LINE: WHAT` of each. */
  readonly damage: readonly string[];
}

export async function readThrough(bytes: Buffer, size = 64, reached?: ReadOffset): Promise<Found> {
  const frames: Found["frames"][number][] = [];
  const damage: string[] = [];
  const reader = readFrames(chunks(bytes, size), "segment", {
    ...(reached && { reached }),
    onDamage: ({ line, what }: LogDamageError) => void damage.push(`${line}: ${what}`),
  });
  for (;;) {
    const { done, value } = await reader.next();
    if (done) return { frames, end: value, damage };
    const lines = value.lines.map(({ line, ...place }) => ({ ...place, text: line.toString() }));
    frames.push({ offset: value.offset, lines });
  }
}
