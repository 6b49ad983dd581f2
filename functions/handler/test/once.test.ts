import { afterEach, expect, test } from "@jest/globals";
import { Refusal } from "../../errors.ts";
import { text, type Answer } from "../../http/answer.ts";
import { idempotencyKey, type Idempotency, type Remembered } from "../../state/idempotency.ts";
import { answerOf, once } from "../once.ts";

const HOUR = 3_600_000;
const NOW = 1_700_000_000_000;
const first: Idempotency = { key: "k", request: "POST /stock/add/a/1", at: NOW };

afterEach(() => void delete process.env["RETENTION_MS"]);

/** Decides a request on what earlier ones have left. */
function decided(kept: Map<string, unknown>, idempotency: Idempotency | null, answer: () => Answer): Answer {
  const view = { get: <T>(key: string) => (kept.get(key) as T | undefined) ?? null };
  const { result, set } = once<Answer>(view as never, idempotency, {
    again: answerOf,
    answered: (refused) => refused,
    decide: () => ({ result: answer(), set: [], keep: answer() }),
  });
  for (const [key, row] of set) kept.set(key, row);
  return result;
}

test("the first answer is given again, a refusal too", () => {
  const kept = new Map<string, unknown>();
  expect(decided(kept, first, () => text(1)).body).toBe("1");
  expect(decided(kept, { ...first, at: NOW + HOUR }, () => text(2)).body).toBe("1");
  const refuse = (): Answer => {
    throw new Refusal("unknown_item", "none");
  };
  const other = { ...first, key: "other" };
  expect(decided(kept, other, refuse).status).toBe(400);
  expect(decided(kept, other, () => text(1)).status).toBe(400);
});

test.each(["POST /stock/subtract/a/1", "GET /stock/add/a/1", "POST /stock/add/a/2"])(
  "%s finds no answer of another method or path under its key, and does nothing",
  (request) => {
    const kept = new Map<string, unknown>();
    decided(kept, first, () => text(1));
    const before = structuredClone([...kept]);
    expect(() => decided(kept, { ...first, request }, () => text(2))).toThrow(
      expect.objectContaining({ statusCode: 422 }),
    );
    expect([...kept]).toEqual(before);
  },
);

test("a record past the retention answers nobody, whether it was deleted yet or not", () => {
  process.env["RETENTION_MS"] = String(HOUR);
  const kept = new Map<string, unknown>();
  decided(kept, first, () => text(1));
  expect(decided(kept, { ...first, at: NOW + HOUR }, () => text(2)).body).toBe("1");
  expect(decided(kept, { ...first, at: NOW + HOUR + 1 }, () => text(2)).body).toBe("2");
  expect((kept.get(idempotencyKey("k")) as Remembered).at).toBe(NOW + HOUR + 1);
  expect(decided(kept, { ...first, request: "POST /stock/add/a/9", at: NOW + 3 * HOUR }, () => text(3)).body).toBe("3");
});
