import { expect, test } from "@jest/globals";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  compactThresholds,
  gatewayUrl,
  internalSecret,
  retention,
  sagaTimeout,
  stateConfiguration,
  stepTimeout,
  stopsAfterAnswer,
} from "../configuration.ts";

const REDIS = { REDIS_URL_STOCK: "redis://127.0.0.1:1" };

test("what is not set has its documented default, and what is empty is not set", () => {
  const here = { DATA_DIR: "nowhere" };
  for (const env of [here, { ...here, SAGA_TIMEOUT_MS: "", STEP_TIMEOUT_MS: "", RETENTION_MS: "", GATEWAY_URL: "" }]) {
    expect([sagaTimeout(env), stepTimeout(env), retention(env)]).toEqual([5_000, 2_000, 86_400_000]);
    expect(() => gatewayUrl(env)).toThrow(/GATEWAY_URL is not set/);
  }
  expect(compactThresholds({ COMPACT_BYTES: "" })).toEqual({ bytes: 67_108_864, age: 86_400_000 });
  expect(() => compactThresholds({ COMPACT_BYTES: "64M" })).toThrow(/COMPACT_BYTES.*bytes/);
  expect(stateConfiguration("stock", { ...REDIS, DURABILITY: "", LOG_STORE_STOCK: "", DATA_DIR: "" })).toEqual({
    redisUrl: "redis://127.0.0.1:1",
    logFolder: join(".data", "log", "stock"),
    logStoreId: undefined,
    durability: "always",
    commit: "watch",
  });
});

test.each(["0", "-1", "1.5", "soon", "1e400", "9007199254740992"])(
  "RETENTION_MS=%s is an error that names it",
  (value) => {
    expect(() => retention({ RETENTION_MS: value })).toThrow(/RETENTION_MS/);
  },
);

test.each(["DURABILITY", "COMMIT_MODE"])(
  "a %s that does not exist is an error that names it, not a weaker promise",
  (name) => {
    expect(() => stateConfiguration("stock", { ...REDIS, [name]: "none" })).toThrow(name);
  },
);

test("a process is stopped after its answer where it is a Lambda's, wherever its log is", () => {
  const named = { AWS_LAMBDA_FUNCTION_NAME: "shop-aws-stock-find" };
  expect([stopsAfterAnswer(named), stopsAfterAnswer({ ...named, LOG_BUCKET_STOCK: "" })]).toEqual([true, true]);
  expect([stopsAfterAnswer({}), stopsAfterAnswer({ LOG_BUCKET_STOCK: "bucket" })]).toEqual([false, false]);
});

test("an address and the secret are taken from the data folder of the shop that runs there; without one the error says what is missing", async () => {
  const folder = await mkdtemp(join(tmpdir(), "configuration-"));
  try {
    const env = { DATA_DIR: folder };
    expect(() => internalSecret(env)).toThrow(/INTERNAL_SECRET/);
    expect(() => stateConfiguration("order", env)).toThrow(/REDIS_URL_ORDER/);
    await mkdir(join(folder, "run"));
    await mkdir(join(folder, "secrets"));
    await writeFile(join(folder, "run", "redis-order.url"), "redis://:p@127.0.0.1:2\n");
    await writeFile(join(folder, "secrets", "internal-secret"), "s\n");
    await writeFile(join(folder, "run", "gateway.url"), "http://127.0.0.1:3/\n");
    expect(gatewayUrl(env)).toBe("http://127.0.0.1:3");
    expect(gatewayUrl({ ...env, GATEWAY_URL: "https://shop.example/prod//" })).toBe("https://shop.example/prod");
    expect([internalSecret(env), stateConfiguration("order", env).redisUrl]).toEqual(["s", "redis://:p@127.0.0.1:2"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
