import * as v from "valibot";
import { Refusal, type RefusalCode } from "../errors.ts";
import { MAX_AMOUNT } from "../numbers.ts";
import { largestBatch } from "../settings/configuration.ts";

const integer = (least: number, most: number) =>
  v.pipe(
    v.string("invalid_number"),
    v.regex(/^\d{1,16}$/, "invalid_number"),
    v.transform(Number),
    v.minValue(least, "invalid_number"),
    v.maxValue(most, "invalid_number"),
  );

/** An id of an item, a user or an order. */
export const Id = v.pipe(v.string("invalid_id"), v.regex(/^[A-Za-z0-9_-]{1,64}$/, "invalid_id"));
/** How many of something: an integer from 1. */
export const Quantity = integer(1, MAX_AMOUNT);
/** What is added or taken: an integer from 0. */
export const Amount = integer(0, MAX_AMOUNT);
/** A price or a starting value: an integer from 0. */
export const Price = integer(0, MAX_AMOUNT);
/** How many rows a batch makes. */
export const BatchSize = integer(1, largestBatch());

const MEANING: Readonly<Record<string, string>> = {
  invalid_id: "must match [A-Za-z0-9_-]{1,64}",
  invalid_number: `must be an integer in its range, at most ${MAX_AMOUNT}`,
};

/** The parameters as the schema makes them. @throws Refusal for the first that does not fit */
export function parse<S extends v.GenericSchema>(schema: S, input: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, input, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const code: RefusalCode = issue.message in MEANING ? (issue.message as RefusalCode) : "invalid_body";
  throw new Refusal(code, `${v.getDotPath(issue) ?? "the body"} ${MEANING[code] ?? issue.message}`);
}
