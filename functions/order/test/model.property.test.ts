import { afterAll, beforeAll, describe, test } from "@jest/globals";
import { after, breakBefore, delay, dropAnswer, hangAfter, insteadOf, twiceAtOnce } from "../../test/support/faults.ts";
import type { Fault } from "../../test/support/gateway.ts";
import { checkCrowds, checkHistories, type Way } from "../../test/support/shop-model.ts";
import { Shop } from "../../test/support/shop.ts";

let shop: Shop;
beforeAll(async () => (shop = await Shop.open()));
afterAll(() => shop.close());

const FAULTS: Readonly<Record<string, Fault>> = {
  none: (execute) => execute(),
  delay: delay(20),
  twiceAtOnce,
  "503": insteadOf(503),
  "503 after": after(503),
  "500": insteadOf(500),
  "500 after": after(500),
  dropAnswer,
  breakBefore,
  hangAfter,
};

const byCalls = (): Way => ({
  shop,
  places: ["/stock/reserve", "/stock/release", "/payment/charge", "/payment/refund"],
  faults: Object.keys(FAULTS),
  put: ({ place, fault }) => shop.gateway.next(place, FAULTS[fault]!),
  heal: async () => {
    shop.gateway.heal();
    await shop.gateway.quiet();
  },
});

describe.each([
  ["each step delivered once", false],
  ["each step delivered twice", true],
])("random histories, %s", (_, repeated) => {
  const prepare = (sagaTimeout: number, stepTimeout = 150): void => {
    shop.set({ SAGA_TIMEOUT_MS: sagaTimeout, STEP_TIMEOUT_MS: stepTimeout });
    shop.gateway.repeatSteps = repeated;
  };

  test.each([
    ["without faults", true, 25],
    ["with faults in every place", false, 12],
  ] as const)(
    "answers and state are those of the model, %s",
    async (_how, faultless, numRuns) => {
      // Where nothing is broken nothing may time out, however busy the machine is.
      if (faultless) prepare(8_000, 8_000);
      else prepare(400);
      await checkHistories(byCalls(), faultless, numRuns);
      await shop.reset();
    },
    60_000,
  );

  test("at the same time, with faults: once the sagas have settled nothing is lost, made or negative, and every order is paid with both effects or unpaid with neither", async () => {
    prepare(500);
    await checkCrowds(byCalls(), 10);
    await shop.reset();
  }, 60_000);
});
