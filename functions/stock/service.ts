import { IDEMPOTENCY } from "../service/idempotency.ts";
import type { Service } from "../service/state.ts";

export const stock: Service = { name: "stock", indexes: [IDEMPOTENCY] };
