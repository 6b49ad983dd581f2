import { compaction } from "../handler/compaction.ts";
import { payment } from "./service.ts";

/** Scheduled. It keeps a cold start short, however long the history is. */
export const handler = compaction(payment);
