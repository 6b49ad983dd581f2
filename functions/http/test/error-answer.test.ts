import { expect, test } from "@jest/globals";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  FormatError,
  LogDamageError,
  ReplicaError,
  RestoringError,
  ServerUnfitError,
  StoreMismatchError,
  StoreUnavailableError,
} from "log-replay";
import {
  AccessError,
  ClosedError,
  ConflictError,
  ConnectionLostError,
  DatabaseError,
  OutcomeUnknownError,
  ServerRefusedError,
  TimeoutError,
  WrongTypeError,
} from "redis-occ";
import {
  AmbiguousError,
  CheckoutRunningError,
  ForbiddenError,
  IdempotencyKeyReusedError,
  Refusal,
  UnavailableError,
} from "../../errors.ts";
import { errorAnswer } from "../error-answer.ts";

const CASES: readonly (readonly [Error, number, string, number | undefined])[] = [
  [new Refusal("insufficient_stock", ""), 400, "insufficient_stock", undefined],
  [new CheckoutRunningError(""), 409, "checkout_running", undefined],
  [new IdempotencyKeyReusedError(""), 422, "idempotency_key_reused", undefined],
  [new ForbiddenError(""), 403, "forbidden", undefined],
  [new UnavailableError("checkout_pending", ""), 503, "checkout_pending", 1],
  [new AmbiguousError(""), 504, "outcome_unknown", undefined],
  [new ConflictError(3), 503, "conflict", 1],
  [new TimeoutError(""), 503, "timeout", 1],
  [new ConnectionLostError(""), 503, "connection_lost", 1],
  [new ServerRefusedError("OOM"), 503, "server_refused", 1],
  [new ServerRefusedError("NOPERM"), 503, "server_refused", 30],
  [new ClosedError(), 503, "closed", 1],
  [new WrongTypeError("k", "hash", "string"), 503, "wrong_type", 30],
  [new OutcomeUnknownError(""), 504, "outcome_unknown", undefined],
  [new RestoringError(""), 503, "restoring", 1],
  [new StoreUnavailableError(""), 503, "log_unavailable", 1],
  [new LogDamageError("f", 1, ""), 503, "log_damaged", 30],
  [new StoreMismatchError(""), 503, "log_mismatch", 30],
  [new FormatError(""), 503, "log_format", 30],
  [new ServerUnfitError("redis_memory", ""), 503, "redis_memory", 30],
  [new ReplicaError(""), 503, "redis_replica", 1],
  [new DatabaseError(""), 503, "redis_database", 30],
  [new AccessError(""), 503, "redis_access", 30],
  [new TypeError("a bug, with a secret in it"), 500, "internal_error", undefined],
];

test.each(CASES)("%s is answered %d %s", (error, status, code, retryAfter) => {
  const answer = errorAnswer(error);
  expect(answer).toMatchObject({ status, type: "application/json" });
  expect(answer.retryAfter).toBe(retryAfter);
  const { error: said } = JSON.parse(answer.body) as { error: { code: string; message: string } };
  expect(said.code).toBe(code);
  expect(Object.keys(said)).toEqual(["code", "message"]);
});

test("a bug says nothing of what it was", () => {
  expect(errorAnswer(new TypeError("a secret")).body).not.toContain("secret");
  expect(errorAnswer("thrown text").status).toBe(500);
});

test("docs/errors.md lists every code that the functions can answer", async () => {
  const root = join(import.meta.dirname, "../../..");
  const documented = await readFile(join(root, "docs/errors.md"), "utf8");
  const sources = await Promise.all(
    ["functions/errors.ts", "layers/redis-occ/src/errors.ts", "layers/log-replay/src/errors.ts"].map((path) =>
      readFile(join(root, path), "utf8"),
    ),
  );
  // Examples in comments have texts of their own.
  const text = sources.join("\n").replace(/\/\*[\s\S]*?\*\//g, "");
  const codes = [...text.matchAll(/readonly code = "(\w+)"/g), ...text.matchAll(/[|:] "(\w+)"/g)].map(
    ([, code]) => code!,
  );
  expect(codes.length).toBeGreaterThan(25);
  for (const code of [...new Set(codes), "internal_error"]) expect(documented).toContain(`\`${code}\``);
  expect((await readdir(join(root, "docs"))).includes("saga.md")).toBe(true);
});
