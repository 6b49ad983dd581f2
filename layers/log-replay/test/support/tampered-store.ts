import type { Begin, LastFrame, LogStore, Segment, SegmentWriter, Snapshot } from "../../src/index.ts";

/** What a test puts in the way of a store's work; each may wait, throw, or do something first. */
export interface Tampering {
  beforeAppend?(epoch: number, frame: Buffer): unknown;
  afterAppend?(epoch: number, frame: Buffer): unknown;
  beforeClaim?(epoch: number): unknown;
  beforeSealed?(epoch: number): unknown;
  /** After one was read, as by whoever comes upon an epoch, before it is handed over. */
  afterBeginRead?(epoch: number): unknown;
  /** After all were read, before they are handed over. */
  afterBegins?(): unknown;
  beforeBegin?(epoch: number, begin: Begin): unknown;
  afterBegin?(epoch: number, begin: Begin): unknown;
  beforeRead?(segment: Segment): unknown;
  afterChunk?(segment: Segment): unknown;
  beforeSync?(frames: readonly LastFrame[]): unknown;
  beforeSnapshot?(): unknown;
  beforeInstall?(): unknown;
  afterInstall?(): unknown;
  beforeReadSnapshot?(snapshot: Snapshot): unknown;
  beforeArchive?(segments: readonly Segment[]): unknown;
}

/** The real store, with something in its way. `tampering` may be changed at any time. */
export function tampered(store: LogStore, tampering: Tampering): LogStore {
  return {
    id: store.id,
    async claim(epoch) {
      await tampering.beforeClaim?.(epoch);
      return store.claim(epoch);
    },
    claims: () => store.claims(),
    async isSealed(epoch) {
      await tampering.beforeSealed?.(epoch);
      return store.isSealed(epoch);
    },
    async writeBegin(epoch, begin) {
      await tampering.beforeBegin?.(epoch, begin);
      await store.writeBegin(epoch, begin);
      await tampering.afterBegin?.(epoch, begin);
    },
    async begin(epoch) {
      const begin = await store.begin(epoch);
      await tampering.afterBeginRead?.(epoch);
      return begin;
    },
    async begins() {
      const begins = await store.begins();
      await tampering.afterBegins?.();
      return begins;
    },
    createSegment(epoch): SegmentWriter {
      const segment = store.createSegment(epoch);
      return {
        get size() {
          return segment.size;
        },
        async append(frame) {
          await tampering.beforeAppend?.(epoch, frame);
          await segment.append(frame);
          await tampering.afterAppend?.(epoch, frame);
        },
        roll: () => segment.roll(),
        close: () => segment.close(),
      };
    },
    segments: (epoch) => store.segments(epoch),
    async *read(segment, chunk, from, asListed) {
      await tampering.beforeRead?.(segment);
      for await (const bytes of store.read(segment, chunk, from, asListed)) {
        yield bytes;
        await tampering.afterChunk?.(segment);
      }
    },
    async sync(frames) {
      await tampering.beforeSync?.(frames);
      await store.sync(frames);
    },
    truncate: (segment, length) => store.truncate(segment, length),
    async snapshot() {
      await tampering.beforeSnapshot?.();
      return store.snapshot();
    },
    async installSnapshot(at, content) {
      await tampering.beforeInstall?.();
      const installed = await store.installSnapshot(at, content);
      await tampering.afterInstall?.();
      return installed;
    },
    async *readSnapshot(snapshot, chunk) {
      await tampering.beforeReadSnapshot?.(snapshot);
      yield* store.readSnapshot(snapshot, chunk);
    },
    removeSnapshots: (before) => store.removeSnapshots(before),
    async archive(segments) {
      await tampering.beforeArchive?.(segments);
      await store.archive(segments);
    },
    archived: (epoch) => store.archived(epoch),
  };
}

/** A door: whoever comes waits until it is opened. */
export function door(): {
  readonly opened: Promise<void>;
  open(): void;
  readonly reached: Promise<void>;
  reach(): Promise<void>;
} {
  const inside = Promise.withResolvers<undefined>();
  const outside = Promise.withResolvers<undefined>();
  return {
    opened: inside.promise,
    open: () => inside.resolve(undefined),
    reached: outside.promise,
    reach: () => {
      outside.resolve(undefined);
      return inside.promise;
    },
  };
}
