import { health } from "../handler/health.ts";
import { payment } from "./service.ts";

/** GET /payment/health */
export const handler = health(payment);
