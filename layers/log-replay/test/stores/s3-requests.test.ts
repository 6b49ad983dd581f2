/** How much a log in S3 asks for: part of `npm run test:local`. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { GoneError, type LogStore, type Segment } from "../../src/index.ts";
import { collect } from "../../src/conformance/contents.ts";
import { encodeFrame } from "../../src/format/frame.ts";
import { logEnd } from "../../src/read/log-end.ts";
import { surveyHistory } from "../../src/recover/survey.ts";
import { createS3Store, openS3Store } from "../../src/stores/s3/index.ts";
import { append, begun, entry } from "../support/logs.ts";
import { FaultyHttp } from "../support/faulty-http.ts";
import { credentials, newBucket, outside, REGION, type S3Server } from "../support/s3-server.ts";

let server: S3Server;
let proxy: FaultyHttp;
let places = 0;

beforeAll(async () => {
  server = await newBucket();
  proxy = await FaultyHttp.start(server.port);
}, 60_000);
afterAll(() => proxy.close());

const prefix = (): string => `requests-${places}/`;

/** A store under a new prefix. */
async function opened(): Promise<LogStore> {
  places++;
  const { bucket } = server;
  const place = { endpoint: proxy.url, bucket, region: REGION, credentials, prefix: prefix(), attemptTimeout: 20_000 };
  await createS3Store(place);
  return openS3Store(place);
}

const asked = (): string[] =>
  proxy.seen.map(({ method, path }) => (path.includes("list-type") ? "LIST" : method)).sort();

/** An epoch in three segments of 20 frames each. */
async function many(): Promise<LogStore> {
  const store = await opened();
  await begun(store, 1);
  for (const from of [0, 20, 40])
    await append(store, 1, ...Array.from({ length: 20 }, (_, i) => [entry(1, from + i + 1, { n: from + i + 1 })]));
  return store;
}

test("a look at the log's end fetches the last frame of each segment, and lists what there is once", async () => {
  const store = await many();
  proxy.seen.length = 0;
  expect(await logEnd(store, { epoch: 1, cut: 0, expected: 60 })).toBe(60);
  expect(asked()).toEqual(["GET", "GET", "GET", "LIST", "LIST"]);
});

test("a restore lists the segments of an epoch that is over once for each reading, not each of them again", async () => {
  const store = await many();
  await store.claim(2);
  proxy.seen.length = 0;
  expect(await surveyHistory(store, () => Promise.resolve())).toMatchObject({ parent: 1, cut: 60, records: 60 });
  // The snapshots, twice, the beginnings, and the segments, once more to see that they are still there; of the store, its identity.
  expect(asked().filter((method) => method === "LIST")).toHaveLength(5);
  expect(asked().filter((method) => method === "HEAD")).toHaveLength(1);
});

test("what is gone from between many segments is missed, as it is from among few", async () => {
  const store = await many();
  const frames = (await store.segments(1)).map((segment) => ({ segment, offset: 0, bytes: Buffer.alloc(0) }));
  await store.sync(frames);
  const [first] = frames;
  await outside(server).delete([`${prefix()}${first?.segment.name}/0000000020.jsonl`]);
  for (const some of [frames, frames.slice(0, 1)]) await expect(store.sync(some)).rejects.toThrow(GoneError);
});

test("who reads a log that goes on finds what has come since it was listed", async () => {
  const store = await opened();
  await begun(store, 1);
  const writer = store.createSegment(1);
  await writer.append(encodeFrame([entry(1, 1, { n: 1 })]));
  const [segment] = await store.segments(1);
  await writer.append(encodeFrame([entry(1, 2, { n: 2 })]));
  const whole = (await collect(store.read(segment as Segment, 100))).length;
  const asListed = (await collect(store.read(segment as Segment, 100, 0, true))).length;
  expect(asListed).toBe(segment?.bytes);
  expect(whole).toBeGreaterThan(asListed);
});
