/** The log in S3, against the server of an emulator: part of `npm run test:local`. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeAll, describe, expect, jest, test } from "@jest/globals";
import {
  compact,
  createFileStore,
  GoneError,
  LogDamageError,
  openFileStore,
  readHistory,
  stateAt,
  StoreMismatchError,
  StoreUnavailableError,
  type LogStore,
  type Segment,
} from "../../src/index.ts";
import { bucketUrl } from "../../src/stores/s3/address.ts";
import { createS3Store, openS3Store, type S3StoreOptions } from "../../src/stores/s3/index.ts";
import { copyLog, planRepair, repair } from "../../src/tools/index.ts";
import { encodeFrame } from "../../src/format/frame.ts";
import { append, begun, entry, textOf } from "../support/logs.ts";
import { collect, contents, pieces } from "../../src/conformance/contents.ts";
import { storeCases } from "../../src/conformance/index.ts";
import { FaultyHttp } from "../support/faulty-http.ts";
import { run } from "../support/processes.ts";
import { credentials, outside, REGION, newBucket, type S3Server } from "../support/s3-server.ts";

const MINUTE = 60_000;

let server: S3Server;
const proxies: FaultyHttp[] = [];
let places = 0;

beforeAll(async () => {
  server = await newBucket();
}, MINUTE);
afterEach(async () => {
  await Promise.all(proxies.splice(0).map((proxy) => proxy.close()));
});

interface Place {
  readonly proxy: FaultyHttp;
  readonly options: S3StoreOptions;
  open(): Promise<LogStore>;
}

/** A new prefix, reached through a proxy of its own. With its timeout a machine that is busy with other things passes every test. */
async function emptyPlace(attemptTimeout = 20_000): Promise<Place> {
  const proxy = await FaultyHttp.start(server.port);
  proxies.push(proxy);
  const options = {
    endpoint: proxy.url,
    bucket: server.bucket,
    region: REGION,
    credentials,
    prefix: `tests/place-${++places}/`,
    attemptTimeout,
  };
  return { proxy, options, open: () => openS3Store(options) };
}

async function newPlace(attemptTimeout?: number): Promise<Place> {
  const place = await emptyPlace(attemptTimeout);
  await createS3Store(place.options);
  return place;
}

const cases = storeCases(async () => {
  const { proxy, options, open } = await newPlace();
  const { bucket, prefix } = options;
  return {
    open,
    async breakDown() {
      proxies.splice(proxies.indexOf(proxy), 1);
      await proxy.close();
    },
    loseClaim: (epoch) => outside(server).delete([`${prefix}claim-${String(epoch).padStart(8, "0")}`]),
    async appendFromElsewhere(epoch, frame) {
      const store = await open();
      const before = (await store.segments(epoch)).map(({ name }) => name);
      const { signal, output } = await run("s3-append-and-die.ts", [
        server.endpoint,
        bucket,
        prefix,
        String(epoch),
        frame.toString("base64"),
      ]);
      expect([signal, output]).toEqual(["SIGKILL", ""]);
      return (await store.segments(epoch)).find(({ name }) => !before.includes(name))?.name ?? "none";
    },
  };
});
describe("an S3 store", () => {
  for (const [name, holds] of Object.entries(cases)) test(name, holds);
});

describe("identity", () => {
  test("20 creators at once agree on one, also where its first user is already at work; creating again gives it", async () => {
    for (let round = 0; round < 5; round++) {
      const { options, open } = await emptyPlace();
      const ids = await Promise.all(
        Array.from({ length: 20 }, async () => {
          const { id } = await createS3Store(options);
          await (await open()).claim(1);
          return id;
        }),
      );
      expect(new Set(ids).size).toBe(1);
      expect(await createS3Store(options)).toEqual({ id: ids[0] });
    }
  });

  test("a prefix that holds something else is not made a store", async () => {
    const { options } = await emptyPlace();
    await outside(server).create(`${options.prefix}letter.txt`, Buffer.from("x"));
    await expect(createS3Store(options)).rejects.toThrow(StoreMismatchError);
    expect((await outside(server).list(options.prefix)).map(({ key }) => key)).toEqual([`${options.prefix}letter.txt`]);
  });

  test("an empty prefix, and a store with another identity, are not opened; a bucket that is not there is a store that is away", async () => {
    const { options, open } = await emptyPlace();
    await expect(open()).rejects.toThrow(StoreMismatchError);
    const { id } = await createS3Store(options);
    await expect(openS3Store({ ...options, expectedId: "another" })).rejects.toThrow(StoreMismatchError);
    await expect(openS3Store({ ...options, expectedId: id })).resolves.toMatchObject({ id });
    await expect(openS3Store({ ...options, bucket: "no-such-bucket" })).rejects.toThrow(StoreUnavailableError);
  });

  test.each(["", "no-slash", "/leading/", "a//b/", "white space/"])("the prefix %j is refused", async (prefix) => {
    const { options } = await emptyPlace();
    await expect(openS3Store({ ...options, prefix })).rejects.toThrow(TypeError);
  });
});

test("what is written is never written again: another begin is damage, the same one is not", async () => {
  const { open } = await newPlace();
  const [a, b] = [await open(), await open()];
  await a.writeBegin(1, { parent: 0, cut: 0 });
  await b.writeBegin(1, { parent: 0, cut: 0 });
  await expect(b.writeBegin(1, { parent: 0, cut: 7 })).rejects.toThrow(LogDamageError);
  expect(await (await open()).begins()).toEqual(new Map([[1, { parent: 0, cut: 0 }]]));
});

test(
  "names of frames sort in the order of the commits, and a listing goes on through all its pages",
  async () => {
    const { options, open, proxy } = await newPlace();
    const store = await open();
    const segment = store.createSegment(1);
    const frames = Array.from({ length: 1_100 }, (_, i) => `${i},`);
    for (const frame of frames) await segment.append(Buffer.from(frame));
    const keys = (await outside(server).list(`${options.prefix}segment-`)).map(({ key }) => key);
    expect(keys).toHaveLength(1_100);
    expect([...keys].sort()).toEqual(keys);

    proxy.seen.length = 0;
    const [only] = await store.segments(1);
    expect(proxy.seen).toHaveLength(2);
    expect((await contents(store, only as Segment)).toString()).toBe(frames.join(""));
  },
  MINUTE,
);

test("a segment is read from any byte on, also where that came after it was listed, and what is before is not fetched", async () => {
  const { open, proxy } = await newPlace();
  const store = await open();
  const writer = store.createSegment(1);
  for (const frame of ["abc", "de"]) await writer.append(Buffer.from(frame));
  const [segment] = (await store.segments(1)) as [Segment];
  for (const frame of ["fgh", "i"]) await writer.append(Buffer.from(frame));
  const whole = "abcdefghi";
  for (let from = 0; from <= whole.length; from++)
    expect((await collect(store.read(segment, 100, from))).toString()).toBe(whole.slice(from));
  proxy.seen.length = 0;
  await collect(store.read(segment, 100, 6));
  expect(proxy.seen.filter(({ path }) => path.includes(".jsonl") && !path.includes("list-type"))).toHaveLength(2);
});

test(
  "frames are fetched in parallel, within the memory that the reader allows, and given in order however they arrive",
  async () => {
    const { open, proxy } = await newPlace();
    const store = await open();
    const segment = store.createSegment(1);
    const frames = Array.from({ length: 60 }, (_, i) => String.fromCodePoint(97 + (i % 26)).repeat(1_000));
    for (const frame of frames) await segment.append(Buffer.from(frame));
    proxy.faults = ({ method, path }) =>
      method === "GET" && path.includes(".jsonl") ? { delay: 20 + 30 * Math.random() } : undefined;
    const [only] = await store.segments(1);
    for (const [budget, atOnce] of [
      [1_000_000, 32],
      [4_000, 4],
      [10, 1],
    ] as const) {
      proxy.mostAtOnce = 0;
      expect((await contents(store, only as Segment, budget)).toString()).toBe(frames.join(""));
      expect(proxy.mostAtOnce).toBe(atOnce);
    }
  },
  MINUTE,
);

test.each([
  ["logs", "eu-central-1", "https://logs.s3.eu-central-1.amazonaws.com/"],
  ["my.logs", "eu-central-1", "https://s3.eu-central-1.amazonaws.com/my.logs/"],
  ["logs", "cn-north-1", "https://logs.s3.cn-north-1.amazonaws.com.cn/"],
  ["my.logs", "cn-northwest-1", "https://s3.cn-northwest-1.amazonaws.com.cn/my.logs/"],
  ["logs", "us-gov-west-1", "https://logs.s3.us-gov-west-1.amazonaws.com/"],
  ["logs", "us-iso-east-1", "https://logs.s3.us-iso-east-1.c2s.ic.gov/"],
])("the bucket %s in %s is at %s", (bucket, region, url) => expect(bucketUrl(bucket, region)).toBe(url));

test("a bucket whose name has dots works where an endpoint is given", async () => {
  expect(bucketUrl("my.logs", REGION, "http://127.0.0.1:9000/")).toBe("http://127.0.0.1:9000/my.logs/");
});

describe("when S3 fails", () => {
  /** The first `times` requests that match. */
  const first = (times: number, method: string, fault: ReturnType<FaultyHttp["faults"]>) => {
    let left = times;
    return (seen: { method: string }) => (seen.method === method && left-- > 0 ? fault : undefined);
  };
  const passing = [
    { status: 500 },
    { status: 503 },
    { status: 409 },
    { status: 429 },
    { lose: "request" },
    { lose: "answer" },
  ] as const;

  test.each(passing)(
    "twice in a row (%j), everything goes on as if nothing had been",
    async (fault) => {
      const { open, proxy } = await newPlace();
      const store = await open();
      proxy.faults = first(2, "PUT", fault);
      expect(await store.claim(1)).toBe(true);
      proxy.faults = first(2, "PUT", fault);
      await store.writeBegin(1, { parent: 0, cut: 0 });
      proxy.faults = first(2, "PUT", fault);
      const segment = store.createSegment(1);
      await segment.append(Buffer.from("frame"));
      proxy.faults = first(2, "GET", fault);
      const [only] = await store.segments(1);
      proxy.faults = first(2, "GET", fault);
      expect((await contents(store, only as Segment)).toString()).toBe("frame");
      proxy.faults = first(2, "HEAD", fault);
      expect(await store.isSealed(1)).toBe(false);
    },
    MINUTE,
  );

  test.each([
    [{ lose: "answer" }, 20_000],
    [{ delay: 4_000 }, 2_000],
  ] as const)(
    "claims whose first answer is lost (%j) are still won by one alone",
    async (fault, attemptTimeout) => {
      const { open, proxy } = await newPlace(attemptTimeout);
      const stores = await Promise.all(Array.from({ length: 8 }, open));
      for (let epoch = 1; epoch <= 2; epoch++) {
        let n = 0;
        // All begin before any tries again: the first attempt of each.
        proxy.faults = ({ method }) => (method === "PUT" && n++ < stores.length ? fault : undefined);
        const won = await Promise.all(stores.map((store) => store.claim(epoch)));
        expect(won.filter(Boolean)).toHaveLength(1);
      }
    },
    MINUTE,
  );

  test("a frame that is answered with an error is in the log or not, and its name is never used for another", async () => {
    const { open, proxy } = await newPlace();
    const store = await open();
    const segment = store.createSegment(1);
    await segment.append(Buffer.from("first "));
    proxy.faults = ({ method }) =>
      method === "PUT" ? { lose: "answer" } : method === "GET" ? { status: 500 } : undefined;
    await expect(segment.append(Buffer.from("second "))).rejects.toThrow(StoreUnavailableError);
    proxy.faults = () => undefined;
    // It had arrived. The recovery, which finds it, decides whether it counts, and not the writer, which gave up.
    const [only] = await store.segments(1);
    expect((await contents(store, only as Segment)).toString()).toBe("first second ");
  });

  test.each([403, 400, 412])("an answer that another try cannot change (%i) is told at once", async (status) => {
    const { open, proxy } = await newPlace();
    const store = await open();
    proxy.seen.length = 0;
    proxy.faults = ({ method }) => (method === "GET" ? { status } : undefined);
    await expect(store.claims()).rejects.toThrow(StoreUnavailableError);
    expect(proxy.seen).toHaveLength(1);
  });

  test("a server that hangs is given up after four attempts", async () => {
    const { open, proxy } = await newPlace(1_000);
    const store = await open();
    proxy.faults = () => ({ delay: MINUTE });
    proxy.seen.length = 0;
    await expect(store.claims()).rejects.toThrow(/no answer within 1000 ms/);
    expect(proxy.seen).toHaveLength(4);
  });

  test("an epoch whose claims are forgotten between the two looks for them is not taken for one that goes on", async () => {
    const { proxy, open } = await newPlace();
    const [store, other] = [await open(), await open()];
    for (let epoch = 1; epoch <= 5; epoch++) await store.claim(epoch);
    const failed = Promise.withResolvers<undefined>();
    const forgotten = Promise.withResolvers<undefined>();
    proxy.faults = ({ method, path }) => {
      if (method !== "HEAD" || !path.endsWith("claim-00000002")) return undefined;
      failed.resolve(undefined);
      return { status: 500 };
    };
    const looked = store.isSealed(1).catch((error: unknown) => (error as { code?: unknown }).code);
    await failed.promise;
    // What is sent again arrives once all of them are gone.
    proxy.faults = ({ method, path }) =>
      method === "HEAD" && path.endsWith("claim-00000002") ? { after: forgotten.promise } : undefined;
    await other.forgetEpochs?.([], 5);
    forgotten.resolve(undefined);
    expect(await looked).toBe("log_unavailable");
  });

  const code = (name: string): string => `<?xml version="1.0"?><Error><Code>${name}</Code></Error>`;

  test.each([
    [{ status: 503, body: code("SlowDown") }, "PUT"],
    [{ status: 400, body: code("RequestTimeout") }, "PUT"],
    [{ status: 429 }, "PUT"],
    [{ status: 503 }, "HEAD"],
    [{ status: 503, body: code("SlowDown") }, "GET"],
  ] as const)(
    "a request that is throttled (%j of %s) is sent again for as long as a caller waits, not four times",
    async (fault, method) => {
      const { open, proxy } = await newPlace();
      const store = await open();
      await store.claim(1);
      const segment = store.createSegment(1);
      proxy.seen.length = 0;
      proxy.faults = first(7, method, fault);
      await segment.append(Buffer.from("frame"));
      expect(await store.isSealed(1)).toBe(false);
      expect((await contents(store, (await store.segments(1))[0] as Segment)).toString()).toBe("frame");
      expect(proxy.seen.filter((seen) => seen.method === method).length).toBeGreaterThanOrEqual(8);
    },
    MINUTE,
  );

  test("throttling that does not end is told after the patience, and spread over it", async () => {
    const { options, proxy } = await newPlace();
    const store = await openS3Store({ ...options, throttlePatience: 1_500 });
    proxy.seen.length = 0;
    proxy.faults = () => ({ status: 503, body: code("SlowDown") });
    const started = performance.now();
    await expect(store.claims()).rejects.toThrow(/503 SlowDown/);
    expect(performance.now() - started).toBeGreaterThan(1_400);
    expect(proxy.seen.length).toBeLessThan(25);
  });

  test.each([-1, 1])(
    "a clock that is set by %i h while S3 throttles changes nothing of the patience",
    async (hours) => {
      const { options, proxy } = await newPlace();
      const store = await openS3Store({ ...options, throttlePatience: 600 });
      const { now } = Date;
      let clock: jest.SpiedFunction<typeof Date.now> | undefined;
      proxy.faults = () => {
        clock ??= jest.spyOn(Date, "now").mockImplementation(() => now() + hours * 3_600_000);
        return { status: 503, body: code("SlowDown") };
      };
      try {
        const started = performance.now();
        const ended = await Promise.race([store.claims().catch(() => "given up"), sleep(5_000, "goes on")]);
        expect([ended, performance.now() - started > 500]).toEqual(["given up", true]);
      } finally {
        clock?.mockRestore();
      }
    },
  );

  test("throttling is borne a few times also where a process was stopped for all of its patience", async () => {
    const { options, proxy } = await newPlace();
    const store = await openS3Store({ ...options, throttlePatience: 0 });
    proxy.faults = first(3, "GET", { status: 503, body: code("SlowDown") });
    expect(await store.claims()).toEqual([]);
  });

  test("a frame that is gone when its turn comes, and a segment with a frame of somebody else, are told", async () => {
    const { options, open } = await newPlace();
    const store = await open();
    const segment = store.createSegment(1);
    for (const frame of ["a", "b", "c"]) await segment.append(Buffer.from(frame));
    const [only] = await store.segments(1);
    await outside(server).delete([`${options.prefix}${only!.name}/0000000002.jsonl`]);
    await expect(contents(store, only as Segment)).rejects.toThrow(GoneError);
    await outside(server).create(`${options.prefix}${only!.name}/0000000004.jsonl`, Buffer.from("z"));
    await expect(segment.append(Buffer.from("d"))).rejects.toThrow(/somebody else's/);
  });
});

describe("snapshots and archive in S3", () => {
  const names = async ({ prefix }: S3StoreOptions, kind: string): Promise<string[]> =>
    (await outside(server).list(prefix + kind)).map(({ key }) => key.slice(prefix.length));

  test(
    "a snapshot of many parts is given back whole, and what a crash before the manifest left is cleared away with the older ones",
    async () => {
      const { options, open, proxy } = await newPlace();
      const store = await open();
      const piece = "x".repeat(1024 * 1024);
      expect(await store.installSnapshot({ epoch: 1, n: 5 }, pieces(...Array.from({ length: 9 }, () => piece)))).toBe(
        true,
      );
      expect(await names(options, "snapshot-")).toHaveLength(4);
      expect((await collect(store.readSnapshot((await store.snapshot())!, 65_536))).length).toBe(9 * piece.length);

      proxy.faults = ({ path }) => (path.endsWith(".json") ? { status: 500 } : undefined);
      await expect(store.installSnapshot({ epoch: 1, n: 6 }, pieces("lost"))).rejects.toThrow(StoreUnavailableError);
      proxy.faults = () => undefined;
      expect((await store.snapshot())?.n).toBe(5);
      expect(await store.installSnapshot({ epoch: 2, n: 7 }, pieces("seven"))).toBe(true);
      await store.removeSnapshots((await store.snapshot())!);
      const left = await names(options, "snapshot-");
      expect(left.map((name) => name.slice(0, 34))).toEqual([
        "snapshot-00000002-0000000000000007",
        "snapshot-00000002-0000000000000007",
      ]);
    },
    MINUTE,
  );

  test("a manifest whose answer is lost is installed all the same", async () => {
    const { open, proxy } = await newPlace();
    const store = await open();
    let left = 1;
    proxy.faults = ({ method, path }) =>
      method === "PUT" && path.endsWith(".json") && left-- > 0 ? { lose: "answer" } : undefined;
    expect(await store.installSnapshot({ epoch: 1, n: 5 }, pieces("five"))).toBe(true);
    expect((await collect((await open()).readSnapshot((await store.snapshot())!, 100))).toString()).toBe("five");
  });

  test("an archiving that broke off between copy and deletion, and two at once, leave each frame once", async () => {
    const { options, open, proxy } = await newPlace();
    const [a, b] = [await open(), await open()];
    const writer = a.createSegment(1);
    const frames = Array.from({ length: 40 }, (_, i) => `${i},`);
    for (const frame of frames) await writer.append(Buffer.from(frame));
    const segments = await a.segments();
    proxy.faults = ({ method }) => (method === "POST" ? { status: 500 } : undefined);
    await expect(a.archive(segments)).rejects.toThrow(StoreUnavailableError);
    expect(await names(options, "segment-")).toHaveLength(40);
    proxy.faults = () => undefined;
    await Promise.all([a.archive(segments), b.archive(await b.segments())]);
    expect(await names(options, "segment-")).toEqual([]);
    const archived = await b.archived();
    expect(archived).toHaveLength(1);
    expect((await contents(b, archived[0]!)).toString()).toBe(frames.join(""));
  });

  test("frames that the archive's object does not have become a further one, once: what was promised a copy is not deleted without one", async () => {
    const { options, open } = await newPlace();
    const [a, b] = [await open(), await open()];
    const writer = a.createSegment(1);
    for (const frame of ["a,", "b,", "c,"]) await writer.append(Buffer.from(frame));
    const [segment] = (await a.segments()) as [Segment];
    const key = `${options.prefix}archive/${segment.name}.jsonl`;
    await outside(server).create(key, Buffer.from("b,"));
    await Promise.all([a.archive([segment]), b.archive([segment])]);
    expect(await names(options, "segment-")).toEqual([]);
    const kept = await b.archived(1);
    expect(await Promise.all(kept.map(async (each) => (await contents(b, each)).toString()))).toEqual(["a,c,", "b,"]);
    // One that broke off while it deleted: what is left is in the copy.
    await outside(server).create(`${options.prefix}${segment.name}/0000000002.jsonl`, Buffer.from("b,"));
    await a.archive([segment]);
    expect(await names(options, "segment-")).toEqual([]);
    expect(await a.archived(1)).toEqual(kept);
  });

  /** What `verify` and `planRepair` find wrong, and the commits of the history. */
  async function read(store: LogStore): Promise<{ damages: unknown[]; numbers: number[] }> {
    const numbers: number[] = [];
    for await (const { n } of readHistory(store)) numbers.push(n);
    return { damages: [...(await planRepair(store)).damages], numbers };
  }

  test("a frame that a frozen writer appends after its segment was archived ends no compaction, and hides nothing", async () => {
    const { options, open } = await newPlace();
    const store = await open();
    await begun(store, 1);
    const frozen = store.createSegment(1);
    await frozen.append(encodeFrame([entry(1, 1, { a: 1 })]));
    await begun(store, 2, { parent: 1, cut: 1 });
    await append(store, 2, [entry(2, 2, { b: 2 })]);
    expect(await compact(store)).toMatchObject({ archived: 1 });
    // It goes on: its PUT is taken, and only its look for a claim tells it that the frame counts for nothing.
    await frozen.append(encodeFrame([entry(1, 2, { a: "too late" })]));
    expect(await store.isSealed(1)).toBe(true);
    expect(await read(await open())).toEqual({ damages: [], numbers: [1, 2] });

    await begun(store, 3, { parent: 2, cut: 2 });
    await append(store, 3, [entry(3, 3, { b: 3 })]);
    expect(await compact(await open())).toMatchObject({ snapshot: { n: 3 } });
    expect(await store.segments(1)).toEqual([]);
    expect(await names(options, "archive/segment-00000001")).toHaveLength(2);
    expect(await read(await open())).toEqual({ damages: [], numbers: [1, 2, 3] });
    expect(textOf(await stateAt(await open()))).toEqual({ a: "1", b: "3" });
  });

  test.each([
    [[2, 3], "the first"],
    [[1, 3], "one in the middle"],
    [[1, 2], "the last"],
  ])(
    "a compaction that is killed while it deletes the frames of an archived segment hides nothing: %j are left, without %s",
    async (left) => {
      const { options, open } = await newPlace();
      const store = await open();
      await begun(store, 1);
      await append(store, 1, ...[1, 2, 3].map((n) => [entry(1, n, { n })]));
      await begun(store, 2, { parent: 1, cut: 3 });
      await append(store, 2, [entry(2, 4, { n: 4 })]);
      const keys = (await outside(server).list(`${options.prefix}segment-00000001`)).map(({ key }) => key);
      const frames = await Promise.all(keys.map((key) => outside(server).get(key)));
      await compact(store);
      for (const n of left) await outside(server).create(keys[n - 1] as string, frames[n - 1] as Buffer);
      expect(await read(await open())).toEqual({ damages: [], numbers: [1, 2, 3, 4] });

      // The next one goes on with the deletion under a reader that has begun with what was left.
      const reading = readHistory(await open());
      const numbers = [((await reading.next()).value as { n: number }).n];
      await begun(store, 3, { parent: 2, cut: 4 });
      await append(store, 3, [entry(3, 5, { n: 5 })]);
      await compact(await open());
      for await (const { n } of reading) numbers.push(n);
      expect(numbers.slice(0, 4)).toEqual([1, 2, 3, 4]);
      expect(await names(options, "segment-00000001")).toEqual([]);
      expect(await names(options, "archive/segment-00000001")).toHaveLength(1);
    },
  );

  test("a history that is read while a compaction archives what was listed has every commit", async () => {
    const { open } = await newPlace();
    const store = await open();
    await begun(store, 1);
    // Larger than what is fetched ahead: each second frame is asked for when it is gone.
    const set = (n: number) => ({ n, padding: "x".repeat(100_000) });
    for (let n = 1; n <= 20; n += 2) await append(store, 1, [entry(1, n, set(n))], [entry(1, n + 1, set(n + 1))]);
    await begun(store, 2, { parent: 1, cut: 20 });
    const reading = readHistory(store);
    const seen = [(await reading.next()).value as { n: number }];
    expect(await compact(await open())).toMatchObject({ archived: 10 });
    for await (const record of reading) seen.push(record);
    expect(seen.map(({ n }) => n)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  });

  test("a damaged segment and a spoilt beginning are repaired, and what they were is kept", async () => {
    const { options, open } = await newPlace();
    const store = await openS3Store(options);
    await begun(store, 1);
    await append(store, 1, [entry(1, 1, { n: 1 })], [entry(1, 2, { n: 2 })]);
    const [segment] = (await store.segments()) as [Segment];
    const spoil = async (key: string, by: (text: string) => string): Promise<void> => {
      const text = (await outside(server).get(key))?.toString() ?? "";
      await outside(server).delete([key]);
      await outside(server).create(key, Buffer.from(by(text)));
    };
    await spoil(`${options.prefix}${segment.name}/0000000002.jsonl`, (text) => text.replace('"n":2}', '"n":3}'));
    await spoil(`${options.prefix}begin-00000001.json`, () => "{");
    const opened = await openS3Store(options);
    const plan = await planRepair(opened);
    expect(plan).toMatchObject({ cut: { n: 1, lost: 1 }, hopeless: [] });
    await repair(opened, plan);
    expect(textOf(await stateAt(await open()))).toEqual({ n: "1" });
    expect(await names(options, "damaged/")).toHaveLength(3);
  });

  test("a repair beside a writer: what it appends between the reading and the setting aside stays in the log", async () => {
    const { options, open } = await newPlace();
    const store = await open();
    await begun(store, 1);
    const writer = store.createSegment(1);
    for (const n of [1, 2]) await writer.append(encodeFrame([entry(1, n, { n })]));
    const [{ name }] = (await store.segments(1)) as [Segment];
    // Another segment has commit 1 too, so nothing is lost with it.
    await append(store, 1, [entry(1, 1, { n: 1 })]);
    const key = `${options.prefix}${name}/0000000001.jsonl`;
    const spoilt = (await outside(server).get(key))?.toString().replace('"n":1}', '"n":9}') ?? "";
    await outside(server).delete([key]);
    await outside(server).create(key, Buffer.from(spoilt));

    const plan = await planRepair(store);
    expect(plan).toMatchObject({ cut: null, replace: [{ name }] });
    const repairing = await openS3Store(options);
    const setAside = repairing.setAside.bind(repairing);
    repairing.setAside = async (segment) => {
      await writer.append(encodeFrame([entry(1, 3, { n: 3 })]));
      return setAside(segment);
    };
    await repair(repairing, plan);
    expect(await names(options, "damaged/")).toHaveLength(2);
    await writer.append(encodeFrame([entry(1, 4, { n: 4 })]));
    const numbers: number[] = [];
    for await (const { n } of readHistory(await open())) numbers.push(n);
    expect(numbers).toEqual([1, 2, 3, 4]);
    expect((await planRepair(await open())).damages).toEqual([]);
  });

  test("a copy goes from a bucket into a folder and back, with everything that is in it", async () => {
    const { open } = await newPlace();
    const store = await open();
    await begun(store, 1);
    await append(store, 1, [entry(1, 1, { a: 1 }), entry(1, 2, { b: 2 })]);
    await begun(store, 2, { parent: 1, cut: 2 });
    await compact(store);
    await append(store, 2, [entry(2, 3, { a: 3 })]);
    const folder = await mkdtemp(join(tmpdir(), "s3-copy-"));
    try {
      await copyLog(store, async () => {
        await createFileStore(folder, store.id);
        return openFileStore({ folder });
      });
      const back = await emptyPlace();
      await copyLog(await openFileStore({ folder }), async () => {
        await createS3Store(back.options, store.id);
        return back.open();
      });
      for (const copy of [await openFileStore({ folder }), await back.open()]) {
        expect(copy.id).toBe(store.id);
        expect(textOf(await stateAt(copy))).toEqual({ a: "3", b: "2" });
        expect((await copy.snapshot())?.n).toBe(2);
        const numbers: number[] = [];
        for await (const { n } of readHistory(copy)) numbers.push(n);
        expect(numbers).toEqual([1, 2, 3]);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("a deletion that S3 answers with 200 and an error inside is an error", async () => {
    const { options } = await newPlace();
    await expect(outside(server).delete([`${options.prefix}${"x".repeat(1_100)}`, "\u0000"])).rejects.toThrow(
      StoreUnavailableError,
    );
  });
});
