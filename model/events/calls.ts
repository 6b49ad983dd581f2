/** The steps of a driver that calls the services, one after the other. */
import { aboutOf, type Outgoing } from "../../functions/events/messages.ts";
import type { Saga } from "../../functions/order/sagas.ts";

interface Call {
  readonly step: string;
  readonly done: string;
  /** The message whose effect is that of the call. */
  readonly asks: (id: string, saga: Saga) => Outgoing;
}

export const CALLS: readonly Call[] = [
  {
    step: "reserve",
    done: "reserved",
    asks: (saga, { items, user, total, ...record }) => ({
      to: "stock",
      message: {
        type: "checkout_started",
        ...aboutOf({ saga, ...record }),
        lines: items.map(([item, quantity]): [string, number] => [item, quantity]),
        user,
        amount: total,
      },
    }),
  },
  {
    step: "charge",
    done: "charged",
    asks: (saga, { user, total, ...record }) => ({
      to: "payment",
      message: { type: "stock_reserved", ...aboutOf({ saga, ...record }), user, amount: total },
    }),
  },
];
