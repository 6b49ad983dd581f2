import { health } from "../handler/health.ts";
import { stock } from "./service.ts";

/** GET /stock/health */
export const handler = health(stock);
