import type { Scenario } from "../rows.ts";
import { distinctOrders, failures, hotItem, hotUser, randomOrders } from "./checkouts.ts";
import { adds, batchInit, empty, reads } from "./one-service.ts";
import { paymentStopped } from "./payment-stopped.ts";
import { coldStart, endurance, idleMemory, replay } from "./whole-shop.ts";

/** In the order in which they run. Those that need an untouched shop come first. */
export const SCENARIOS: readonly Scenario[] = [
  idleMemory,
  empty,
  distinctOrders,
  hotItem,
  hotUser,
  failures,
  randomOrders,
  paymentStopped,
  reads,
  adds,
  batchInit,
  replay,
  endurance,
  coldStart,
];
