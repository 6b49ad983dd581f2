/** Real processes, as many as a service has functions when many call at once. How long it takes: `npm run bench:crowd`. */
import { expect, test } from "@jest/globals";
import { crowdLosesRedis } from "../support/crowd.ts";
import { stage } from "../support/stage.ts";

const on = stage();
const PROCESSES = 100;

test("100 processes on a slow store, Redis lost under load: one restores, the others wait without asking the store", async () => {
  const { folder } = await on.store();
  const { asked, epochs, answered, logged } = await crowdLosesRedis(PROCESSES, { folder, delay: 20 });
  expect(epochs).toBeLessThanOrEqual(3);
  // Each comes to the new epoch, compares it with the log's end, and appends. None reads what all have written.
  expect(asked).toBeLessThan(40 * PROCESSES);
  // What nobody could be told may have been done; once, too.
  answered.forEach((orders, i) => expect(logged[i]).toEqual(expect.arrayContaining([...orders])));
  for (const orders of logged) expect(new Set(orders).size).toBe(orders.length);
}, 900_000);
