import { consumer, type MessageWork } from "../events/consumer.ts";
import { INBOX, type Inbox } from "../events/messages.ts";
import { outbox } from "./outbox.ts";
import { openOutcomes } from "./outcomes.ts";
import { SagaJournal, type DrivenSaga } from "./saga-journal.ts";
import { isSettled, LostRaceError } from "./sagas.ts";
import { order } from "./service.ts";
import { remaining } from "../deadline.ts";

/** The queue of the order service: what came of the steps of its sagas. */
export const handler = consumer(order, INBOX.order, async (message, work) => {
  const driven = (await moved(message, work)) ?? (await present(message, work));
  if (driven === null) return [];
  work.notes["state"] = driven.saga.state;
  if (isSettled(driven.saga)) await (await openOutcomes()).announce(driven);
  // A charge of a saga that was given up: also where the first of two such messages has said so already, and was lost.
  return message.type === "payment_charged" ? outbox(driven.id, driven.saga) : [];
});

/** @returns null where the message changes nothing: it came twice, or too late */
async function moved(message: Inbox["order"], { state, deadline }: MessageWork): Promise<DrivenSaga | null> {
  const journal = new SagaJournal(state);
  const timeout = remaining(deadline);
  try {
    switch (message.type) {
      case "payment_charged":
        return await journal.charged(message, timeout);
      case "stock_refused":
        return await journal.refused(message, message.refusal, timeout);
      case "stock_released":
        return message.refusal === undefined
          ? await journal.undone(message, "reserve", timeout)
          : await journal.released(message, message.refusal, timeout);
      case "payment_refunded":
        return await journal.undone(message, "charge", timeout);
    }
  } catch (error) {
    if (error instanceof LostRaceError) return null;
    throw error;
  }
}

async function present({ saga: id }: Inbox["order"], { state, deadline }: MessageWork): Promise<DrivenSaga | null> {
  const saga = await new SagaJournal(state).read(id, remaining(deadline));
  return saga === null ? null : { id, saga };
}
