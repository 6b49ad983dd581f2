import { creatingLog } from "../handler/create-log.ts";
import { order } from "./service.ts";

/** Invoked by a deployment. */
export const handler = creatingLog(order);
