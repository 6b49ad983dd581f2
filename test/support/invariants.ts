/** All seven invariants, once it is quiet. */
import { join } from "node:path";
import { services } from "../../functions/services.ts";
import type { Shop as HostedShop } from "../../host/test/support/shop.ts";
import { check } from "./checker.ts";
import { until, untilSettled } from "./cluster.ts";
import type { Attempt } from "./history.ts";
import type { Client } from "./http.ts";
import { writeHistories } from "./linearizability.ts";
import { contentOf, differences, replayTwice, type Content } from "./live-state.ts";
import { fold, readPlainLog } from "./log.ts";
import { checkLaws, checkSagas, LAWS } from "../../tools/laws.ts";
import { stateOf, type Market } from "./market.ts";

/** Where the state and the logs are. */
interface Shop extends Pick<HostedShop, "dataDir" | "redisUrl"> {
  /** A Redis that is there for replays. */
  readonly scratchUrl?: string;
}

/** @returns everything that is not as it should be; empty where nothing is */
export async function violations(
  shop: Shop,
  client: Client,
  market: Market,
  attempts: readonly Attempt[],
): Promise<string[]> {
  await untilSettled(shop, client);
  const after = await stateOf(client, market);
  writeHistories(market.before, attempts, after);
  return [
    ...check(market.before, attempts, after),
    ...conservation(market, attempts, after),
    ...(await stateViolations(shop, client)),
  ];
}

/** What does not depend on what was asked: each log by itself, the logs together, and the live state against them. */
export async function stateViolations(shop: Shop, client: Client): Promise<string[]> {
  await untilSettled(shop, client);
  // A commit that nobody waits for any more goes into the log with the next one.
  for (const path of ["/stock/item/create/1", "/payment/create_user", "/orders/create/nobody"])
    await client.insist({ method: "POST", path });
  const problems: string[] = [];
  const folded = new Map<string, Map<string, unknown>>();
  for (const { name, indexes } of services) {
    const folder = join(shop.dataDir, "log", name);
    let live: Content = new Map();
    let log = readPlainLog(folder);
    // The scheduled functions may be at work: the log is read again until it has what is there.
    await until(
      `the state of ${name} equals its log`,
      async () => {
        live = await contentOf(shop.redisUrl(name));
        log = readPlainLog(folder);
        return differences(live, textOf(fold(log.records), live)).length === 0;
      },
      20_000,
    ).catch(() => undefined);
    problems.push(...log.problems.map((problem) => `log of ${name}: ${problem}`));
    problems.push(
      ...differences(live, textOf(fold(log.records), live)).map(
        (problem) => `Redis of ${name} against its log: ${problem}`,
      ),
    );
    problems.push(
      ...checkLaws(log.records, LAWS[name])
        .slice(0, 10)
        .map((problem) => `log of ${name}, ${problem}`),
    );
    const [first, second] = await replayTwice(folder, indexes, shop.scratchUrl);
    problems.push(...differences(live, first).map((problem) => `Redis of ${name} against a replay: ${problem}`));
    problems.push(...differences(first, second).map((problem) => `replay of ${name} against another: ${problem}`));
    folded.set(name, fold(log.records));
  }
  problems.push(...checkSagas(folded.get("order")!, folded.get("stock")!, folded.get("payment")!));
  return problems;
}

/** The indexes are not in the log: they are compared with a replay only. */
function textOf(state: ReadonlyMap<string, unknown>, live: Content): Content {
  const indexes = [...live].filter(([key]) => key.startsWith("log:"));
  return new Map([...[...state].map(([key, value]) => [key, JSON.stringify(value)] as const), ...indexes]);
}

/** As sums over all: the users have lost what was paid for, and so has the stock. */
function conservation(
  { before, item, users }: Market,
  attempts: readonly Attempt[],
  after: Market["before"],
): string[] {
  const paid = [...after.orders]
    .filter(([id, now]) => now.paid && before.orders.get(id)?.paid === false)
    .map(([, now]) => now);
  const credit = (state: Market["before"]): number => users.reduce((sum, id) => sum + (state.users.get(id) ?? NaN), 0);
  const taken = {
    credit: credit(before) - credit(after),
    stock: (before.items.get(item)?.stock ?? NaN) - (after.items.get(item)?.stock ?? NaN),
  };
  const owed = {
    credit: paid.reduce((sum, { total }) => sum + total, 0),
    stock: paid.reduce((sum, { items }) => sum + items.reduce((all, [, quantity]) => all + quantity, 0), 0),
  };
  // Only where the item of the sale and its users are touched by checkouts alone.
  const customers = new Set(users);
  const others = attempts.some(({ operation }) => {
    if ("item" in operation) return operation.name !== "find_item" && operation.item === item;
    return "user" in operation && operation.name !== "find_user" && customers.has(operation.user);
  });
  return others || (taken.credit === owed.credit && taken.stock === owed.stock)
    ? []
    : [`taken: ${JSON.stringify(taken)}, paid for: ${JSON.stringify(owed)}`];
}
