import { order } from "./order/service.ts";
import { payment } from "./payment/service.ts";
import { SERVICES, type ServiceName } from "./settings/services.ts";
import type { Service } from "./state/open-state.ts";
import { stock } from "./stock/service.ts";

const BY_NAME: Readonly<Record<ServiceName, Service>> = { order, stock, payment };

/** What each service keeps its state as, for programs that deal with all of them. No service imports this. */
export const services: readonly Service[] = SERVICES.map((name) => BY_NAME[name]);
