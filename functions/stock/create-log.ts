import { creatingLog } from "../handler/create-log.ts";
import { stock } from "./service.ts";

/** Invoked by a deployment. */
export const handler = creatingLog(stock);
