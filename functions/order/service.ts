import { IDEMPOTENCY } from "../state/idempotency.ts";
import type { Service } from "../state/open-state.ts";
import { CLAIMS } from "./orders.ts";
import { SAGAS } from "./sagas.ts";

export const order: Service = { name: "order", indexes: [CLAIMS, SAGAS, IDEMPOTENCY] };
