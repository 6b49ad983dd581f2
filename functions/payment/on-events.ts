import { failPoint } from "../fail-points.ts";
import { consumer, type MessageWork } from "../events/consumer.ts";
import { aboutOf, INBOX, type Inbox, type Outgoing } from "../events/messages.ts";
import { outcomeOf } from "../events/step-outcome.ts";
import { payment } from "./service.ts";
import { chargeUser, refundUser } from "./steps.ts";

/** The queue of the payment service. */
export const handler = consumer(payment, INBOX.payment, async (message, work) => {
  switch (message.type) {
    case "stock_reserved":
      return reserved(message, work);
    case "refund":
      await failPoint("saga.refund.before");
      await refundUser(work, message);
      await failPoint("saga.refund.after");
      return [{ to: "order", message: { type: "payment_refunded", ...aboutOf(message) } }];
  }
});

async function reserved(
  message: Inbox["payment"] & { readonly type: "stock_reserved" },
  work: MessageWork,
): Promise<readonly Outgoing[]> {
  const about = aboutOf(message);
  await failPoint("saga.charge.before");
  const outcome = await outcomeOf(() => chargeUser(work, message));
  await failPoint("saga.charge.after");
  if (outcome === "too late") return [];
  if (outcome !== "done") return [{ to: "stock", message: { type: "payment_refused", ...about, refusal: outcome } }];
  return [{ to: "order", message: { type: "payment_charged", ...about } }];
}
