import { describe, expect, test } from "@jest/globals";
import { GoneError, type LogStore, type Segment, type Snapshot } from "../../src/index.ts";
import { appendOnce, collect, pieces } from "../support/contents.ts";

/** What a log store promises of snapshots and of the archive; a part of the suite of `describeStore`. */
export function describeSnapshots(make: () => Promise<{ open(): Promise<LogStore> }>): void {
  describe("snapshots and archive", () => {
    test("has no snapshot when new, and then the newest that was installed", async () => {
      const place = await make();
      const [a, b] = [await place.open(), await place.open()];
      expect(await a.snapshot()).toBeNull();
      expect(await a.installSnapshot({ epoch: 2, n: 99 }, pieces("ninety-", "nine"))).toBe(true);
      expect(await b.snapshot()).toMatchObject({ epoch: 2, n: 99 });
      expect(await b.installSnapshot({ epoch: 2, n: 100 }, pieces("hundred"))).toBe(true);
      const newest = (await a.snapshot()) as Snapshot;
      expect(newest).toMatchObject({ epoch: 2, n: 100 });
      for (const chunk of [2, 1_000]) expect((await collect(a.readSnapshot(newest, chunk))).toString()).toBe("hundred");
    });

    test("does not install a snapshot where one of this or a later commit is", async () => {
      const place = await make();
      const [a, b] = [await place.open(), await place.open()];
      await a.installSnapshot({ epoch: 2, n: 10 }, pieces("first"));
      expect(await b.installSnapshot({ epoch: 2, n: 10 }, pieces("second"))).toBe(false);
      expect(await b.installSnapshot({ epoch: 2, n: 9 }, pieces("older"))).toBe(false);
      const newest = (await b.snapshot()) as Snapshot;
      expect(newest.n).toBe(10);
      expect((await collect(b.readSnapshot(newest, 100))).toString()).toBe("first");
    });

    test("gives the same snapshot to one of ten installers that race for it, and never shows a part of it", async () => {
      const place = await make();
      const stores = await Promise.all(Array.from({ length: 10 }, () => place.open()));
      const text = (i: number): string[] => Array.from({ length: 20 }, () => String(i).repeat(1_000));
      const installed = Promise.all(
        stores.map((store, i) => store.installSnapshot({ epoch: 1, n: 5 }, pieces(...text(i)))),
      );
      const reader = await place.open();
      let seen: Snapshot | null = null;
      while (seen === null) seen = await reader.snapshot();
      const content = (await collect(reader.readSnapshot(seen, 4_096))).toString();
      const won = await installed;
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(content).toBe(text(won.indexOf(true)).join(""));
    });

    test("installs nothing where the content breaks off", async () => {
      const store = await (await make()).open();
      async function* broken(): AsyncGenerator<Buffer> {
        yield Buffer.from("half");
        throw new RangeError("no more");
      }
      await expect(store.installSnapshot({ epoch: 1, n: 5 }, broken())).rejects.toThrow("no more");
      expect(await store.snapshot()).toBeNull();
      expect(await store.installSnapshot({ epoch: 1, n: 5 }, pieces("whole"))).toBe(true);
    });

    test("removes the snapshots before one, and a reader of a removed one is told that it is gone", async () => {
      const store = await (await make()).open();
      await store.installSnapshot({ epoch: 1, n: 5 }, pieces("five"));
      const old = (await store.snapshot()) as Snapshot;
      await store.installSnapshot({ epoch: 3, n: 7 }, pieces("seven"));
      const newest = (await store.snapshot()) as Snapshot;
      await store.removeSnapshots(newest);
      await store.removeSnapshots(newest);
      await expect(collect(store.readSnapshot(old, 100))).rejects.toThrow(GoneError);
      expect((await collect(store.readSnapshot(newest, 100))).toString()).toBe("seven");
      expect(await store.snapshot()).toEqual(newest);
    });

    test("archives segments: they are gone from the log and kept as history, whoever does it and however often", async () => {
      const place = await make();
      const [a, b] = [await place.open(), await place.open()];
      for (const [epoch, text] of [
        [1, "one"],
        [2, "two"],
        [2, "three"],
      ] as const)
        await appendOnce(a, epoch, text);
      expect(await a.archived()).toEqual([]);
      const before = await a.segments();
      const archived = before.filter(({ epoch }) => epoch === 1);
      await a.archive(archived);
      await b.archive(archived);
      await b.archive([]);
      expect(await b.segments(1)).toEqual([]);
      expect(await b.segments(2)).toHaveLength(2);
      const kept = await b.archived(1);
      expect(kept).toMatchObject([{ epoch: 1, closed: true }]);
      expect((await collect(b.read(kept[0] as Segment, 100))).toString()).toBe("one");
      expect(await b.archived(2)).toEqual([]);
      expect(await b.archived()).toEqual(kept);
      for (const use of [
        collect(a.read(archived[0] as Segment, 100)),
        a.sync([{ segment: archived[0] as Segment, offset: 0, bytes: Buffer.from("one") }]),
      ]) {
        await expect(use).rejects.toThrow(GoneError);
      }
    });
  });
}
