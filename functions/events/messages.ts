import * as v from "valibot";
import type { RefusalCode } from "../errors.ts";
import { charged, lines, step, type SagaStart } from "../handler/steps.ts";
import { Id } from "../http/parameters.ts";
import { strictTraceparent } from "../observe/trace-context.ts";

/** A message belongs to a saga, and says for which order that is. All of it is repeated by whoever answers it. */
const about = {
  ...step,
  order: Id,
  /** As W3C Trace Context has it; where the customer's request had one. */
  traceparent: v.optional(
    v.pipe(
      v.string(),
      v.transform((given) => strictTraceparent(given) || undefined),
    ),
  ),
};

/** Why a rule refuses the checkout; made by one of the services, which is what the signature says. */
const refusal = v.object({
  code: v.pipe(
    v.string(),
    v.transform((code) => code as RefusalCode),
  ),
  message: v.string(),
});

/**
 * What each service is told, and by whom. Nobody directs: a service knows its own step, and whom to tell what came of it.
 * docs/saga.md has the sequence.
 */
export const INBOX = {
  stock: v.variant("type", [
    /** By order: a checkout has been written down. */
    v.object({ type: v.literal("checkout_started"), ...about, lines, ...charged }),
    /** By payment: what was reserved has to go back. */
    v.object({ type: v.literal("payment_refused"), ...about, refusal }),
    /** By order, which gives the checkout up. */
    v.object({ type: v.literal("release"), ...about }),
  ]),
  payment: v.variant("type", [
    /** By stock. */
    v.object({ type: v.literal("stock_reserved"), ...about, ...charged }),
    /** By order, which gives the checkout up. */
    v.object({ type: v.literal("refund"), ...about }),
  ]),
  order: v.variant("type", [
    /** By stock: nothing has to be undone. */
    v.object({ type: v.literal("stock_refused"), ...about, refusal }),
    /** By stock: with a refusal where it was payment's, else because order has asked for it. */
    v.object({ type: v.literal("stock_released"), ...about, refusal: v.optional(refusal) }),
    /** By payment. */
    v.object({ type: v.literal("payment_charged"), ...about }),
    v.object({ type: v.literal("payment_refunded"), ...about }),
  ]),
} as const;

export type Inbox = { readonly [S in keyof typeof INBOX]: Readonly<v.InferOutput<(typeof INBOX)[S]>> };

/** A message and whom it is for. */
export type Outgoing = { readonly [S in keyof Inbox]: { readonly to: S; readonly message: Inbox[S] } }[keyof Inbox];

export interface About extends SagaStart {
  readonly order: string;
  readonly traceparent?: string | undefined;
}

/** What is passed on from one message to its answer. */
export function aboutOf({ saga, startedAt, order, traceparent }: About): About {
  return { saga, startedAt, order, ...(traceparent === undefined ? {} : { traceparent }) };
}
