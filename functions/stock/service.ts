import { IDEMPOTENCY } from "../state/idempotency.ts";
import type { Service } from "../state/open-state.ts";

export const stock: Service = { name: "stock", indexes: [IDEMPOTENCY] };
