import { IDEMPOTENCY } from "../state/idempotency.ts";
import type { Service } from "../state/open-state.ts";

export const payment: Service = { name: "payment", indexes: [IDEMPOTENCY] };
