import type { Reason } from "../errors.ts";
import type { SagaStart } from "../handler/steps.ts";
import { failPoint } from "../fail-points.ts";
import { consumer, type MessageWork } from "../events/consumer.ts";
import { aboutOf, INBOX, type Inbox, type Outgoing } from "../events/messages.ts";
import { outcomeOf } from "../events/step-outcome.ts";
import { stock } from "./service.ts";
import { releaseStock, reserveStock } from "./steps.ts";

/** The queue of the stock service. */
export const handler = consumer(stock, INBOX.stock, async (message, work) => {
  switch (message.type) {
    case "checkout_started":
      return started(message, work);
    case "payment_refused": {
      const { refusal } = message;
      await released(work, message, refusal);
      return [{ to: "order", message: { type: "stock_released", ...aboutOf(message), refusal } }];
    }
    case "release":
      await released(work, message);
      return [{ to: "order", message: { type: "stock_released", ...aboutOf(message) } }];
  }
});

async function started(
  message: Inbox["stock"] & { readonly type: "checkout_started" },
  work: MessageWork,
): Promise<readonly Outgoing[]> {
  const about = aboutOf(message);
  await failPoint("saga.reserve.before");
  const outcome = await outcomeOf(() => reserveStock(work, message));
  await failPoint("saga.reserve.after");
  if (outcome === "too late") return [];
  if (outcome !== "done") return [{ to: "order", message: { type: "stock_refused", ...about, refusal: outcome } }];
  const { user, amount } = message;
  return [{ to: "payment", message: { type: "stock_reserved", ...about, user, amount } }];
}

async function released(work: MessageWork, saga: SagaStart, why?: Reason): Promise<void> {
  await failPoint("saga.release.before");
  await releaseStock(work, saga, why);
  await failPoint("saga.release.after");
}
