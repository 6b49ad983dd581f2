/** What each function answers: the body of its 200, and the codes of its refusals besides those that its parameters can have. */
import type { RefusalCode } from "../../functions/errors.ts";

type Schema = Readonly<Record<string, unknown>>;

export interface Answers {
  /** What it does, in a sentence. */
  readonly summary: string;
  readonly type: "application/json" | "text/plain";
  readonly body: Schema;
  readonly codes: readonly RefusalCode[];
  /** May be 409 while a checkout runs. */
  readonly conflicts?: true;
  /** May be 202: what it began goes on, and `Location` tells where to look. */
  readonly goesOn?: true;
  /** Its 503 has the body of its 200's kind, not an error's. */
  readonly notServing?: Schema;
}

const amount = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const id = { type: "string", pattern: "^[A-Za-z0-9_-]{1,64}$" };
const object = (properties: Readonly<Record<string, Schema>>): Schema => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
const number = (summary: string, codes: readonly RefusalCode[], more: { readonly conflicts?: true } = {}): Answers => ({
  summary,
  type: "text/plain",
  body: { type: "string", pattern: "^\\d{1,16}$" },
  codes,
  ...more,
});
const json = (
  summary: string,
  body: Schema,
  codes: readonly RefusalCode[] = [],
  more: Partial<Answers> = {},
): Answers => ({
  summary,
  type: "application/json",
  body,
  codes,
  ...more,
});
const step = (summary: string, codes: readonly RefusalCode[]): Answers =>
  json(summary, object({ done: { const: true } }), ["invalid_body", ...codes]);

const message = object({ msg: { type: "string" } });
const failure = object({ code: { type: "string" }, message: { type: "string" }, retryable: { type: "boolean" } });
const serving = object({ status: { const: "serving" }, epoch: { type: "integer", minimum: 0 } });
const away = object({ status: { enum: ["restoring", "unavailable"] }, error: failure });
const health = (what: string): Answers => json(`Whether ${what} serves`, serving, [], { notServing: away });
const shopHealth = (status: Schema): Schema =>
  object({ status, services: { type: "object", additionalProperties: { anyOf: [serving, away] } } });

export const ANSWERS: Readonly<Record<string, Answers>> = {
  "order-create": json("Makes an order without items", object({ order_id: id })),
  "order-find": json(
    "The order as it is",
    object({
      order_id: id,
      paid: { type: "boolean" },
      items: { type: "array", items: { type: "array", prefixItems: [id, amount], minItems: 2, maxItems: 2 } },
      user_id: id,
      total_cost: amount,
    }),
    ["unknown_order"],
  ),
  "order-add-item": number(
    "Adds an item at its present price; the new total",
    ["unknown_order", "unknown_item", "order_paid", "too_many_items", "amount_out_of_range"],
    { conflicts: true },
  ),
  "order-batch-init": json('Makes orders "0" to "n-1"', message, ["amount_out_of_range"], { conflicts: true }),
  "order-checkout": {
    summary: "Pays the order: stock and credit are taken, or nothing is",
    type: "text/plain",
    body: { const: "paid" },
    codes: [
      "unknown_order",
      "empty_order",
      "unknown_item",
      "unknown_user",
      "insufficient_stock",
      "insufficient_credit",
      "amount_out_of_range",
    ],
    goesOn: true,
  },
  "order-find-checkout": json(
    "The latest checkout of the order",
    {
      type: "object",
      properties: {
        saga_id: id,
        state: { enum: ["running", "paid", "compensating", "failed"] },
        failure: object({ code: { type: "string" }, message: { type: "string" } }),
      },
      required: ["saga_id", "state"],
      additionalProperties: false,
    },
    ["unknown_order", "no_checkout"],
  ),
  "order-health": health("the order service"),
  "order-shop-health": json("Whether the shop serves", shopHealth({ const: "serving" }), [], {
    notServing: shopHealth({ enum: ["restoring", "unavailable"] }),
  }),
  "order-openapi": json("This document", { type: "object" }),
  "stock-create-item": json("Makes an item without stock", object({ item_id: id })),
  "stock-find": json("The item as it is", object({ stock: amount, price: amount }), ["unknown_item"]),
  "stock-add": number("Adds to the stock; the new stock", ["unknown_item", "amount_out_of_range"]),
  "stock-subtract": number("Takes from the stock; the new stock", ["unknown_item", "insufficient_stock"]),
  "stock-batch-init": json('Makes items "0" to "n-1"', message),
  "stock-reserve": step("Takes what a checkout needs of each item, or nothing", [
    "unknown_item",
    "insufficient_stock",
    "step_compensated",
    "saga_expired",
  ]),
  "stock-release": step("Gives back what a checkout has taken", []),
  "stock-forget": step("Drops the markers of settled checkouts", []),
  "stock-health": health("the stock service"),
  "payment-create-user": json("Makes a user without credit", object({ user_id: id })),
  "payment-find-user": json("The user as it is", object({ user_id: id, credit: amount }), ["unknown_user"]),
  "payment-add-funds": json("Adds to the credit", object({ done: { const: true } }), [
    "unknown_user",
    "amount_out_of_range",
  ]),
  "payment-pay": number("Takes from the credit; the new credit", ["unknown_user", "insufficient_credit"]),
  "payment-batch-init": json('Makes users "0" to "n-1"', message),
  "payment-charge": step("Takes a checkout's total off the credit", [
    "unknown_user",
    "insufficient_credit",
    "step_compensated",
    "saga_expired",
  ]),
  "payment-refund": step("Gives back what a checkout was charged", []),
  "payment-forget": step("Drops the markers of settled checkouts", []),
  "payment-health": health("the payment service"),
};
