import assert from "node:assert/strict";
import { StoreUnavailableError } from "../errors.ts";
import type { RepairableStore, Segment, SegmentWriter, Snapshot } from "../stores/store.ts";
import { appendOnce, collect, contents, has, pieces, same } from "./contents.ts";
import type { StoreCases, StorePlace } from "./place.ts";
import { snapshotCases } from "./snapshot-cases.ts";

/**
 * What every log store promises, for the test runner of your choice.
 * @param make a new, empty place for each case
 *
 * @example
 * for (const [name, holds] of Object.entries(storeCases(makePlace))) test(name, holds);
 */
export function storeCases(make: () => Promise<StorePlace>): StoreCases {
  return {
    "has an identity, the same whoever opens it, and another one than any other store": async () => {
      const place = await make();
      const [a, b] = [await place.open(), await place.open()];
      assert.match(a.id, /\S/);
      assert.equal(b.id, a.id);
      assert.notEqual((await (await make()).open()).id, a.id);
    },

    "is empty when new": async () => {
      const store = await (await make()).open();
      same(await store.claims(), []);
      same(await store.begins(), new Map());
      same(await store.begin(1), undefined);
      same(await store.segments(1), []);
    },

    "gives an epoch to one of 20 claimants that race for it, ten times over": async () => {
      const place = await make();
      const stores = await Promise.all(Array.from({ length: 20 }, () => place.open()));
      for (let epoch = 1; epoch <= 10; epoch++) {
        const won = await Promise.all(stores.map((store) => store.claim(epoch)));
        assert.equal(won.filter(Boolean).length, 1);
      }
      same(await stores[0]?.claims(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    },

    "lists claims by number, not by name": async () => {
      const store = await (await make()).open();
      for (const epoch of [1, 2, 9, 10, 11, 99_999_999, 100_000_000]) await store.claim(epoch);
      same(await store.claims(), [1, 2, 9, 10, 11, 99_999_999, 100_000_000]);
    },

    "shows a claim at once to whoever asks whether the epoch below is sealed": async () => {
      const place = await make();
      const [a, b] = [await place.open(), await place.open()];
      await a.claim(1);
      for (let epoch = 1; epoch <= 20; epoch++) {
        // Asked before as well: the answer that it was not there must not be remembered.
        assert.equal(await b.isSealed(epoch), false);
        await a.claim(epoch + 1);
        assert.equal(await b.isSealed(epoch), true);
      }
    },

    "does not call an epoch unsealed whose own claim is gone: it is no longer the same store": async () => {
      const place = await make();
      const store = await place.open();
      await store.claim(1);
      await store.claim(2);
      await place.loseClaim(2);
      await assert.rejects(store.isSealed(2), StoreUnavailableError);
    },

    "gives back how epochs begin": async () => {
      const place = await make();
      const store = await place.open();
      await store.writeBegin(1, { parent: 0, cut: 0 });
      await store.writeBegin(3, { parent: 1, cut: 9_007_199_254_740_991, format: 2 });
      const begins = new Map([
        [1, { parent: 0, cut: 0 }],
        [3, { parent: 1, cut: 9_007_199_254_740_991, format: 2 }],
      ]);
      same(await store.begins(), begins);
      same(await (await place.open()).begins(), begins);
      for (const opened of [store, await place.open()]) {
        for (const [epoch, begin] of begins) same(await opened.begin(epoch), begin);
        same(await opened.begin(2), undefined);
      }
    },

    "shows a beginning whole or not at all while it is written": async () => {
      const place = await make();
      const [writer, reader] = [await place.open(), await place.open()];
      const written = (async () => {
        for (let epoch = 1; epoch <= 30; epoch++) await writer.writeBegin(epoch, { parent: epoch - 1, cut: epoch });
      })();
      for (let seen = 0; seen < 30;) {
        const begins = await reader.begins();
        for (const [epoch, begin] of begins) same(begin, { parent: epoch - 1, cut: epoch });
        seen = begins.size;
      }
      await written;
      assert.equal((await reader.begins()).size, 30);
    },

    "shows nothing of a segment before its first frame": async () => {
      const store = await (await make()).open();
      const segment = store.createSegment(1);
      assert.equal(segment.size, 0);
      same(await store.segments(1), []);
      await segment.append(Buffer.from("frame\n"));
      assert.equal((await store.segments(1)).length, 1);
      await segment.close();
    },

    "gives back what was appended, in order, to everybody, in chunks of any size": async () => {
      const place = await make();
      const store = await place.open();
      const segment = store.createSegment(4);
      const frames = Array.from({ length: 20 }, (_, i) => Buffer.from(`frame ${i} ${"é\0\n".repeat(i * 50)}`));
      for (const frame of frames) await segment.append(frame);
      assert.equal(segment.size, Buffer.concat(frames).length);
      await segment.close();
      const other = await place.open();
      const [only] = await other.segments(4);
      for (const chunk of [1_000, 65_536]) same(await contents(other, only as Segment, chunk), Buffer.concat(frames));
    },

    "shows a frame to a reader as soon as its append resolves": async () => {
      const place = await make();
      const [a, b] = [await place.open(), await place.open()];
      const segment = a.createSegment(1);
      let expected = "";
      for (let i = 0; i < 20; i++) {
        await segment.append(Buffer.from(`${i},`));
        expected += `${i},`;
        const [only] = await b.segments(1);
        assert.equal((await contents(b, only as Segment)).toString(), expected);
      }
      await segment.close();
    },

    "keeps writers apart: other stores, and other segments of one store": async () => {
      const place = await make();
      const stores = await Promise.all(Array.from({ length: 4 }, () => place.open()));
      const writers = stores.flatMap((store): SegmentWriter[] => [
        store.createSegment(1),
        store.createSegment(1),
        store.createSegment(2),
      ]);
      await Promise.all(
        writers.map(async (writer, i) => {
          for (let k = 0; k < 5; k++) await writer.append(Buffer.from(`${i}:${k} `));
          await writer.close();
        }),
      );
      const store = await place.open();
      const segments = [...(await store.segments(1)), ...(await store.segments(2))];
      same(
        segments.map(({ epoch }) => epoch),
        [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2],
      );
      assert.equal(new Set(segments.map((segment) => segment.name)).size, 12);
      const texts = await Promise.all(segments.map(async (segment) => (await contents(store, segment)).toString()));
      same(texts.sort(), writers.map((_, i) => [0, 1, 2, 3, 4].map((k) => `${i}:${k} `).join("")).sort());
    },

    "lists the segments of one epoch alone, in an order that stays": async () => {
      const store = await (await make()).open();
      for (const epoch of [1, 10, 100, 1]) {
        const segment = store.createSegment(epoch);
        await segment.append(Buffer.from("x"));
        await segment.close();
      }
      assert.equal((await store.segments(1)).length, 2);
      assert.equal((await store.segments(10)).length, 1);
      same(await store.segments(1), await store.segments(1));
    },

    "syncs what was read of segments that somebody else wrote and goes on with, and changes nothing of them; and nothing":
      async () => {
        const place = await make();
        const writer = (await place.open()).createSegment(1);
        await writer.append(Buffer.from("one,"));
        await writer.append(Buffer.from("two,"));
        const other = await place.open();
        const [segment] = (await other.segments(1)) as [Segment];
        await other.sync([{ segment, offset: 4, bytes: Buffer.from("two,") }]);
        await writer.append(Buffer.from("three"));
        await other.sync([{ segment, offset: 4, bytes: Buffer.from("two,") }]);
        assert.equal((await contents(other, segment)).toString(), "one,two,three");
        await other.sync([]);
        await writer.close();
      },

    "goes on in another segment after a roll; the one before is closed once that is there, the last one of a writer that lives is not":
      async () => {
        const place = await make();
        const writer = (await place.open()).createSegment(1);
        const other = await place.open();
        await writer.append(Buffer.from("one"));
        await writer.roll();
        assert.equal(writer.size, 0);
        for (const text of ["two", "three"]) {
          await writer.append(Buffer.from(text));
          await writer.roll();
        }
        await writer.append(Buffer.from("four"));
        const segments = await other.segments(1);
        const read = await Promise.all(
          segments.map(async (segment) => [(await contents(other, segment)).toString(), segment.closed]),
        );
        same(read.sort(), [
          ["four", false],
          ["one", true],
          ["three", true],
          ["two", true],
        ]);
        await writer.close();
      },

    "does not take a segment for closed because another writer, of the same store or another one, came later":
      async () => {
        const place = await make();
        const store = await place.open();
        const writers = [store.createSegment(1), store.createSegment(1), (await place.open()).createSegment(1)];
        for (const writer of writers) await writer.append(Buffer.from("x"));
        same(
          (await store.segments(1)).map(({ closed }) => closed),
          [false, false, false],
        );
        for (const writer of writers) await writer.close();
      },

    "lists the segments of all epochs at once": async () => {
      const store = await (await make()).open();
      for (const epoch of [3, 1, 20]) await appendOnce(store, epoch, "x");
      same(
        (await store.segments()).map(({ epoch }) => epoch).sort((a, b) => a - b),
        [1, 3, 20],
      );
    },

    "leaves the segment of a writer that still lives as it is": async () => {
      const place = await make();
      const segment = (await place.open()).createSegment(1);
      await segment.append(Buffer.from("whole torn"));
      const other = await place.open();
      const [only] = await other.segments(1);
      assert.equal(await other.truncate(only as Segment, 6), null);
      assert.equal((await contents(other, only as Segment)).toString(), "whole torn");
      await segment.append(Buffer.from(" more"));
      await segment.close();
    },

    "truncates the segment of a writer that is gone and keeps a copy, or leaves it; never anything else": async () => {
      const place = await make();
      const segmentName = await place.appendFromElsewhere(1, Buffer.from("whole torn"));
      const store = await place.open();
      const segment = (await store.segments(1)).find((candidate) => candidate.name === segmentName) as Segment;
      const copy = await store.truncate(segment, 6);
      const left = (await contents(store, segment)).toString();
      assert.equal(left, copy === null ? "whole torn" : "whole ");
      if (copy !== null) assert.equal((await contents(store, { ...segment, name: copy })).toString(), "whole torn");
      has(await store.segments(1), [{ name: segmentName }]);
    },

    "names what is of no kind that it knows, where it can, and nothing that it has made itself": async () => {
      const place = await make();
      const name = await place.appendFromElsewhere(1, Buffer.from("whole torn"));
      const store = (await place.open()) as RepairableStore;
      if (store.strays === undefined) return;
      for (const epoch of [1, 2]) {
        await store.claim(epoch);
        await store.writeBegin(epoch, { parent: epoch - 1, cut: 0 });
        const segment = store.createSegment(epoch);
        for (const frame of ["a", "b", "c"]) {
          await segment.append(Buffer.from(frame));
          await segment.roll();
        }
      }
      await store.truncate((await store.segments(1)).find((segment) => segment.name === name) as Segment, 6);
      await store.archive((await store.segments(1)).slice(0, 2));
      await store.setAside((await store.segments(2))[0] as Segment);
      await store.installSnapshot({ epoch: 1, n: 1 }, pieces("snapshot"));
      same(await store.strays(), []);
      if (place.putStray === undefined) return;
      const strays = ["segment-00000002-of-nobody.bak", "notes"];
      for (const stray of strays) await place.putStray(stray);
      same((await store.strays()).sort(), strays.sort());
    },

    "says that it is unavailable, whatever is asked of it, once it cannot be reached": async () => {
      const place = await make();
      const store = await place.open();
      await store.claim(1);
      const segment = store.createSegment(1);
      await segment.append(Buffer.from("x"));
      await segment.close();
      const [old] = await store.segments(1);
      await store.installSnapshot({ epoch: 1, n: 1 }, pieces("snapshot"));
      const snapshot = await store.snapshot();
      await place.breakDown();
      const calls: Record<string, () => Promise<unknown>> = {
        claim: () => store.claim(2),
        claims: () => store.claims(),
        isSealed: () => store.isSealed(1),
        writeBegin: () => store.writeBegin(2, { parent: 1, cut: 0 }),
        begin: () => store.begin(1),
        begins: () => store.begins(),
        append: () => store.createSegment(1).append(Buffer.from("y")),
        segments: () => store.segments(1),
        read: () => contents(store, old as Segment),
        sync: () => store.sync([{ segment: old as Segment, offset: 0, bytes: Buffer.from("x") }]),
        snapshot: () => store.snapshot(),
        installSnapshot: () => store.installSnapshot({ epoch: 1, n: 2 }, pieces("later")),
        readSnapshot: () => collect(store.readSnapshot(snapshot as Snapshot, 100)),
        removeSnapshots: () => store.removeSnapshots(snapshot as Snapshot),
        archive: () => store.archive([old as Segment]),
        archived: () => store.archived(),
        ...(store.strays === undefined ? {} : { strays: () => store.strays?.() ?? Promise.resolve() }),
      };
      for (const [call, run] of Object.entries(calls)) {
        const error = await run().then(
          () => `${call} succeeded`,
          (thrown: unknown) => thrown,
        );
        assert.ok(error instanceof StoreUnavailableError, String(error));
        has(error, { unchanged: true, transient: true, code: "log_unavailable" });
      }
    },

    ...snapshotCases(make),
  };
}
