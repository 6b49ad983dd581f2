import { expect, test } from "@jest/globals";
import { Occ, type OccOptions } from "../src/index.ts";

const url = "redis://127.0.0.1:6379";

test.each<[string, unknown]>([
  ["an unknown option", { url, connection: 3 }],
  ["no url", {}],
  ["a url of something else", { url: "http://127.0.0.1" }],
  ["no connections", { url, connections: 0 }],
  ["half a connection", { url, connections: 1.5 }],
  ["no attempts", { url, maxAttempts: 0 }],
  ["a negative timeout", { url, timeout: -1 }],
  ["a timeout that is no number", { url, timeout: NaN }],
  ["a timeout that Node would take for 1 ms", { url, timeout: Infinity }],
  ["no round trip timeout", { url, roundTripTimeout: 0 }],
])("%s is refused with a TypeError", (_name, options) => {
  expect(() => new Occ(options as OccOptions)).toThrow(TypeError);
});

test("a client opens no connection before it is used", () => {
  expect(() => new Occ({ url }).close()).not.toThrow();
});

test.each([0, -5, NaN, 2 ** 31])("a call's timeout of %d is refused with a TypeError", async (timeout) => {
  const occ = new Occ({ url });
  const rule = (): { result: number } => ({ result: 0 });
  await expect(occ.transact([], rule, { timeout })).rejects.toThrow(TypeError);
  await expect(occ.transactAlone([], rule, { timeout })).rejects.toThrow(TypeError);
  await expect(occ.read([], { timeout })).rejects.toThrow(TypeError);
  await expect(occ.query([], { timeout })).rejects.toThrow(TypeError);
  await occ.close();
});

test.each([0, -1, 1.5, NaN])(
  "a batch with a concurrency of %d is refused, rather than done not at all",
  async (concurrency) => {
    const occ = new Occ({ url });
    await expect(occ.batch([{ keys: [], decide: () => ({ result: 0 }) }], { concurrency })).rejects.toThrow(TypeError);
    await occ.close();
  },
);
