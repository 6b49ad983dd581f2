import * as v from "valibot";
import { Refusal, type RefusalCode } from "../errors.ts";
import { MAX_AMOUNT } from "../numbers.ts";
import { largestBatch } from "../settings/configuration.ts";

/** What a schema says of what does not fit: the code of the refusal, and what a person has to know. */
const SAID = /^(invalid_id|invalid_number) (.*)$/;

const integer = (least: number, most: number) => {
  const said = `invalid_number must be an integer from ${least} to ${most}, in at most 16 digits`;
  return v.pipe(
    v.string(said),
    v.regex(/^\d{1,16}$/, said),
    v.transform(Number),
    v.minValue(least, said),
    v.maxValue(most, said),
  );
};

const ID = "invalid_id must match [A-Za-z0-9_-]{1,64}";

/** An id of an item, a user or an order. */
export const Id = v.pipe(v.string(ID), v.regex(/^[A-Za-z0-9_-]{1,64}$/, ID));
/** How many of something: an integer from 1. */
export const Quantity = integer(1, MAX_AMOUNT);
/** What is added or taken: an integer from 0. */
export const Amount = integer(0, MAX_AMOUNT);
/** A price or a starting value: an integer from 0. */
export const Price = integer(0, MAX_AMOUNT);
/** How many rows a batch makes. */
export const BatchSize = integer(1, largestBatch());

/** The parameters as the schema makes them. @throws Refusal for the first that does not fit */
export function parse<S extends v.GenericSchema>(schema: S, input: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, input, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const [, code = "invalid_body", why = issue.message] = SAID.exec(issue.message) ?? [];
  throw new Refusal(code as RefusalCode, `${v.getDotPath(issue) ?? "the body"} ${why}`);
}
