/** `model.property.test.ts` for checkouts by events. */
import { afterAll, beforeAll, describe, test } from "@jest/globals";
import {
  EVENTS,
  failsAfter,
  failsBefore,
  late,
  lost,
  twiceAtOnce,
  type MessageFault,
} from "../../test/support/queues.ts";
import { checkCrowds, checkHistories, type Way } from "../../test/support/shop-model.ts";
import { Shop } from "../../test/support/shop.ts";

/** A checkout whose messages are lost is given up after it; one that is only late is not. Milliseconds. */
const LIMIT = 500;

let shop: Shop;
beforeAll(async () => (shop = await Shop.openWithQueues()));
afterAll(() => shop.close());

const FAULTS: Readonly<Record<string, MessageFault>> = {
  none: (deliver) => deliver(),
  lost,
  failsBefore,
  failsAfter,
  twiceAtOnce,
  "later than it is sent again": late(120),
  "later than the saga's own time": late(LIMIT + 100),
};

const byEvents = (): Way => ({
  shop,
  places: EVENTS,
  faults: Object.keys(FAULTS),
  put: ({ place, fault }) => shop.queues.next(place, FAULTS[fault]!, fault === "none" ? 1 : 3),
  heal: async () => {
    shop.queues.heal();
    await shop.queues.quiet();
  },
});

describe.each([
  ["each message delivered once", false],
  ["each message delivered twice", true],
])("random histories of checkouts by events, %s", (_, repeated) => {
  const prepare = (limit: number): void => {
    shop.set({ EVENT_SAGA_TIMEOUT_MS: limit, RESEND_MS: 60 });
    shop.queues.repeat = repeated;
  };

  test.each([
    ["without faults", true, 15],
    ["with faults in every place", false, 8],
  ] as const)(
    "answers and state are those of the model, %s",
    async (_how, faultless, numRuns) => {
      prepare(faultless ? 20 * LIMIT : LIMIT);
      await checkHistories(byEvents(), faultless, numRuns);
      await shop.reset();
    },
    120_000,
  );

  test("at the same time, with faults: once the sagas have settled nothing is lost, made or negative, and every order is paid with both effects or unpaid with neither", async () => {
    prepare(LIMIT);
    await checkCrowds(byEvents(), 8);
    await shop.reset();
  }, 120_000);
});
