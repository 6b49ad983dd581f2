import { encodeFrame } from "../../src/format/frame.ts";
import type { Begin, LogStore, PastState, Snapshot } from "../../src/index.ts";
import { encodeBody } from "../../src/format/record.ts";
import { collect } from "../../src/conformance/contents.ts";
import type { Stage } from "./stage.ts";

/** A state with deleted, nested and indexed values, made by two writers: 60 commits. */
export async function filled(on: Stage, indexes: readonly string[] = ["i:"]) {
  const store = await on.store();
  const a = on.open({ store, indexes });
  const b = on.open({ store: await on.store(store.folder), indexes });
  await a.ready();
  await Promise.all(
    Array.from({ length: 60 }, (_, i) =>
      (i % 2 ? a : b).occ.transact([`i:${i % 7}`, `k:${i}`], (view) => ({
        result: i,
        set: {
          [`i:${i % 7}`]: i % 11 === 0 ? null : { by: i, list: [i, null, "é\n"] },
          [`k:${i}`]: (view.get<number>(`i:${i % 7}`) ?? 0) === 0 ? 1 : `"${i}"`,
        },
      })),
    ),
  );
  return { store, folder: store.folder, a, b };
}

const texts = (values: Record<string, unknown>) =>
  Object.entries(values).map(([name, value]) => [name, value === null ? null : JSON.stringify(value)] as const);

/** @param ends milliseconds since 1970, of keys that do not stay @param hashes what fields of them become */
export const entry = (
  epoch: number,
  n: number,
  set: Record<string, unknown>,
  ends: Record<string, number> = {},
  hashes: Record<string, Record<string, unknown>> = {},
) => ({
  epoch,
  n,
  body: encodeBody(
    new Date(1_000 * n).toISOString(),
    `t-${epoch}-${n}`,
    "",
    new Map(texts(set)),
    new Map(Object.entries(ends)),
    new Map(Object.entries(hashes).map(([key, fields]) => [key, new Map(texts(fields))] as const)),
  ),
});

/** Frames in a segment of their own. */
export async function append(store: LogStore, epoch: number, ...frames: ReturnType<typeof entry>[][]): Promise<void> {
  const segment = store.createSegment(epoch);
  for (const entries of frames) await segment.append(encodeFrame(entries));
  await segment.close();
}

/** Claims and begins an epoch. */
export async function begun(store: LogStore, epoch: number, begin: Begin = { parent: 0, cut: 0 }): Promise<void> {
  await store.claim(epoch);
  await store.writeBegin(epoch, begin);
}

/** The lines of the newest snapshot but for its first one, parsed, without format, checksums and seals. */
export async function snapshotLines(store: LogStore): Promise<Record<string, unknown>[]> {
  const text = (await collect(store.readSnapshot((await store.snapshot()) as Snapshot, 1_000))).toString();
  return text
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => {
      const { crc: _crc, frame: _frame, format: _format, ...rest } = JSON.parse(line) as Record<string, unknown>;
      return rest;
    });
}

/** The values of a past state as JSON text, by key. */
export function textOf({ images }: PastState): Record<string, string> {
  return Object.fromEntries([...images].map(([key, { image }]) => [key, image]));
}
