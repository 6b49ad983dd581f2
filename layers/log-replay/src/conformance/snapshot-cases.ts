import assert from "node:assert/strict";
import { GoneError } from "../errors.ts";
import type { LogStore, Segment, Snapshot } from "../stores/store.ts";
import { appendOnce, collect, has, pieces, same } from "./contents.ts";
import type { StoreCases } from "./place.ts";

/** What a log store promises of snapshots and of the archive: a part of `storeCases`. */
export function snapshotCases(make: () => Promise<{ open(): Promise<LogStore> }>): StoreCases {
  return {
    "has no snapshot when new, and then the newest that was installed": async () => {
      const place = await make();
      const [a, b] = [await place.open(), await place.open()];
      assert.equal(await a.snapshot(), null);
      assert.equal(await a.installSnapshot({ epoch: 2, n: 99 }, pieces("ninety-", "nine")), true);
      has(await b.snapshot(), { epoch: 2, n: 99 });
      assert.equal(await b.installSnapshot({ epoch: 2, n: 100 }, pieces("hundred")), true);
      const newest = (await a.snapshot()) as Snapshot;
      has(newest, { epoch: 2, n: 100 });
      for (const chunk of [2, 1_000])
        assert.equal((await collect(a.readSnapshot(newest, chunk))).toString(), "hundred");
    },

    "does not install a snapshot where one of this or a later commit is": async () => {
      const place = await make();
      const [a, b] = [await place.open(), await place.open()];
      await a.installSnapshot({ epoch: 2, n: 10 }, pieces("first"));
      assert.equal(await b.installSnapshot({ epoch: 2, n: 10 }, pieces("second")), false);
      assert.equal(await b.installSnapshot({ epoch: 2, n: 9 }, pieces("older")), false);
      const newest = (await b.snapshot()) as Snapshot;
      assert.equal(newest.n, 10);
      assert.equal((await collect(b.readSnapshot(newest, 100))).toString(), "first");
    },

    "gives the same snapshot to one of ten installers that race for it, and never shows a part of it": async () => {
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
      assert.equal(won.filter(Boolean).length, 1);
      assert.equal(content, text(won.indexOf(true)).join(""));
    },

    "installs nothing where the content breaks off": async () => {
      const store = await (await make()).open();
      async function* broken(): AsyncGenerator<Buffer> {
        yield Buffer.from("half");
        throw new RangeError("no more");
      }
      await assert.rejects(store.installSnapshot({ epoch: 1, n: 5 }, broken()), /no more/);
      assert.equal(await store.snapshot(), null);
      assert.equal(await store.installSnapshot({ epoch: 1, n: 5 }, pieces("whole")), true);
    },

    "removes the snapshots before one, and a reader of a removed one is told that it is gone": async () => {
      const store = await (await make()).open();
      await store.installSnapshot({ epoch: 1, n: 5 }, pieces("five"));
      const old = (await store.snapshot()) as Snapshot;
      await store.installSnapshot({ epoch: 3, n: 7 }, pieces("seven"));
      const newest = (await store.snapshot()) as Snapshot;
      await store.removeSnapshots(newest);
      await store.removeSnapshots(newest);
      await assert.rejects(collect(store.readSnapshot(old, 100)), GoneError);
      assert.equal((await collect(store.readSnapshot(newest, 100))).toString(), "seven");
      same(await store.snapshot(), newest);
    },

    "archives segments: they are gone from the log and kept as history, whoever does it and however often":
      async () => {
        const place = await make();
        const [a, b] = [await place.open(), await place.open()];
        for (const [epoch, text] of [
          [1, "one"],
          [2, "two"],
          [2, "three"],
        ] as const)
          await appendOnce(a, epoch, text);
        same(await a.archived(), []);
        const before = await a.segments();
        const archived = before.filter(({ epoch }) => epoch === 1);
        await a.archive(archived);
        await b.archive(archived);
        await b.archive([]);
        same(await b.segments(1), []);
        assert.equal((await b.segments(2)).length, 2);
        const kept = await b.archived(1);
        has(kept, [{ epoch: 1, closed: true }]);
        assert.equal((await collect(b.read(kept[0] as Segment, 100))).toString(), "one");
        same(await b.archived(2), []);
        same(await b.archived(), kept);
        for (const use of [
          collect(a.read(archived[0] as Segment, 100)),
          a.sync([{ segment: archived[0] as Segment, offset: 0, bytes: Buffer.from("one") }]),
        ]) {
          await assert.rejects(use, GoneError);
        }
      },
  };
}
