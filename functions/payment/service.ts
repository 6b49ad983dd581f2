import { IDEMPOTENCY } from "../service/idempotency.ts";
import type { Service } from "../service/state.ts";

export const payment: Service = { name: "payment", indexes: [IDEMPOTENCY] };
