import { creatingLog } from "../handler/create-log.ts";
import { payment } from "./service.ts";

/** Invoked by a deployment. */
export const handler = creatingLog(payment);
