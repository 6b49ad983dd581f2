import { aboutOf, type Outgoing } from "../events/messages.ts";
import type { Saga } from "./sagas.ts";

/**
 * Whether anybody may go forwards with the checkout. One by calls its driver may give up at any moment, and would undo only what it
 * has done itself.
 */
export const goesByEvents = ({ mode }: Saga): boolean => mode === "events";

/**
 * What has to be told to whom of a saga as it stands. Its record is the outbox: what is lost on its way is sent again from
 * here, and the others repeat what follows from it.
 */
export function outbox(saga: string, record: Saga): readonly Outgoing[] {
  const { items, user, total } = record;
  const about = aboutOf({ saga, ...record });
  switch (record.state) {
    case "running": {
      if (!goesByEvents(record)) return [];
      const lines = items.map(([item, quantity]): [string, number] => [item, quantity]);
      return [{ to: "stock", message: { type: "checkout_started", ...about, lines, user, amount: total } }];
    }
    case "compensating":
      return (record.undo ?? []).map((step): Outgoing =>
        step === "charge"
          ? { to: "payment", message: { type: "refund", ...about } }
          : { to: "stock", message: { type: "release", ...about } },
      );
    default:
      return [];
  }
}
