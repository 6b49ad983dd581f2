import { directClient } from "../calls/direct-client.ts";
import { answering, type Health } from "../handler/health.ts";
import { json } from "../http/answer.ts";

/** Milliseconds that a service has for its answer. */
const PATIENCE = 3_000;
const ROUTES = { order: "/orders/health", stock: "/stock/health", payment: "/payment/health" };

/** GET /health: the three services at once; 200 where each of them serves. */
export const handler = answering(async () => {
  const answers = await Promise.all(
    Object.entries(ROUTES).map(async ([name, path]) => [name, await ask(path)] as const),
  );
  const states = new Set(answers.map(([, { status }]) => status));
  const status = states.has("unavailable") ? "unavailable" : states.has("restoring") ? "restoring" : "serving";
  const services = Object.fromEntries(answers);
  return status === "serving" ? json({ status, services }) : { ...json({ status, services }, 503), retryAfter: 1 };
});

async function ask(path: string): Promise<Health> {
  try {
    const { status, body } = await directClient({ method: "GET", path, timeout: PATIENCE });
    const said = JSON.parse(body) as Partial<Health> | null;
    if (said?.status !== undefined) return said as Health;
    throw new Error(`${path} answered ${status}`); // somebody else in its place
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { status: "unavailable", error: { code: "service_unavailable", message, retryable: true } };
  }
}
