import contract from "../../docs/openapi.json" with { type: "json" };
import { answering } from "../handler/health.ts";
import { json } from "../http/answer.ts";

/** GET /openapi.json */
export const handler = answering(() => Promise.resolve(json(contract)));
