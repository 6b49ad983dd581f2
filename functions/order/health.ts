import { health } from "../handler/health.ts";
import { order } from "./service.ts";

/** GET /orders/health */
export const handler = health(order);
