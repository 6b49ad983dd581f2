import { nanoid } from "nanoid";
import { json, text, type Answer } from "../http/answer.ts";
import { endpoint, type Call } from "../handler/endpoint.ts";
import { errorAnswer } from "../http/error-answer.ts";
import { Id } from "../http/parameters.ts";
import { Refusal, UnavailableError } from "../errors.ts";
import { failPoint } from "../fail-points.ts";
import { eventSagaTimeout, sagaMode, sagaTimeout } from "../settings/configuration.ts";
import { idempotencyKey } from "../state/idempotency.ts";
import { once } from "../handler/once.ts";
import { checkoutDriver, follow } from "./checkout-sagas.ts";
import { claimKey, known, orderKey, type Claim, type Order } from "./orders.ts";
import type { DrivenSaga } from "./saga-journal.ts";
import { LostRaceError, sagaKey, start, type Saga } from "./sagas.ts";
import { order } from "./service.ts";
import { remaining } from "../deadline.ts";

/** What a checkout request leads to: an answer at once, a saga of its own, or one that runs (or ran) already. */
type Lead = { readonly answer: Answer } | { readonly started: DrivenSaga } | { readonly follow: string };

/** POST /orders/checkout/{order_id} */
export const handler = endpoint({
  service: order,
  route: "POST /orders/checkout/{order_id}",
  path: { order_id: Id },
  handle: async (call) => {
    await failPoint("saga.start.before");
    const lead = await claimOrder(call, call.path.order_id);
    await failPoint("saga.start.after");
    if ("answer" in lead) return lead.answer;
    const id = "started" in lead ? lead.started.id : lead.follow;
    call.notes["saga"] = id;
    return outcome(await ended(call, lead, id), call.path.order_id, id);
  },
});

/**
 * 120 random bits. It is short because each row, marker, index and log record of the checkout carries it. It begins
 * with a letter because a command line takes a dash for an option. It is made by nanoid, which draws bits for many ids
 * at a time: `randomBytes` would cost a tenth of the transaction.
 */
function newSagaId(): string {
  return `s${nanoid(20)}`;
}

/** Claims the order for a new saga, unless it is paid or claimed already, in one transaction. */
async function claimOrder({ state, idempotency, trace, now, deadline }: Call, orderId: string): Promise<Lead> {
  const [orderRow, claimRow] = [orderKey(orderId), claimKey(orderId)];
  const saga = newSagaId();
  const mode = sagaMode();
  const timeout = mode === "events" ? eventSagaTimeout() : sagaTimeout();
  const keys = [orderRow, claimRow, ...(idempotency ? [idempotencyKey(idempotency.key)] : [])];
  return state.occ.transact<Lead>(
    keys,
    (view) =>
      once<Lead>(view, idempotency, {
        again: (kept) => {
          if (!("pending" in kept)) return { answer: kept };
          return isVoid(view.get<Saga>(sagaKey(kept.pending))) ? null : { follow: kept.pending };
        },
        answered: (answer) => ({ answer }),
        decide: () => {
          const present = known(view.get<Order>(orderRow), orderId);
          const claim = view.get<Claim>(claimRow);
          if (claim !== null) return { result: { follow: claim.saga }, set: [], keep: { pending: claim.saga } };
          if (present.paid) return { result: { answer: PAID }, set: [], keep: PAID };
          const started = start(saga, orderId, present, { now, timeout, traceparent: trace || undefined, mode });
          return { result: { started: { id: saga, saga: started.saga } }, set: started.set, keep: { pending: saga } };
        },
      }),
    { meta: { op: "checkout", saga }, timeout: remaining(deadline) },
  );
}

/**
 * A checkout that was rolled back because a service did not answer has changed nothing, and its 503 asks for another
 * try. With the same Idempotency-Key that try is a new checkout. A saga that is gone was settled, and its answer is
 * gone with it.
 */
function isVoid(saga: Saga | null): boolean {
  return saga === null || (saga.state === "failed" && saga.failure?.kind === "aborted");
}

/** @returns the saga as it is when the request has to be answered, settled or not; null where it is gone, undefined where nobody can look */
async function ended(
  call: Call,
  lead: Exclude<Lead, { readonly answer: Answer }>,
  id: string,
): Promise<Saga | null | undefined> {
  const { state, deadline } = call;
  if (sagaMode() === "events") {
    const { awaitEnd } = await import("./event-sagas.ts");
    return awaitEnd(state, id, "started" in lead ? lead.started.saga : null, deadline);
  }
  return "started" in lead ? drive(call, lead.started) : follow(state, id, deadline);
}

/** Drives a saga of its own. If somebody else took it over, waits for what they make of it. */
async function drive({ state, deadline }: Call, driven: DrivenSaga): Promise<Saga | null> {
  try {
    return (await checkoutDriver(state).run(driven, deadline)).saga;
  } catch (error) {
    if (!(error instanceof LostRaceError)) throw error;
    return follow(state, driven.id, deadline);
  }
}

const PAID = text("paid");

/** A saga's answer: the same for everybody who waited for it. */
function outcome(saga: Saga | null | undefined, orderId: string, id: string): Answer {
  if (saga?.state === "paid") return PAID;
  if (saga?.state === "failed" && saga.failure?.kind === "refused") {
    const { code, message } = saga.failure;
    if (code !== "checkout_aborted") return errorAnswer(new Refusal(code, message));
  }
  if (saga?.state === "failed")
    return errorAnswer(
      new UnavailableError("checkout_aborted", `checkout ${id} was rolled back: ${saga.failure?.message ?? ""}`),
    );
  // It goes on by itself, and nothing has gone wrong: events wait for as long as it takes.
  if (saga !== null && sagaMode() === "events")
    return {
      ...json({ saga_id: id, state: saga?.state ?? "running" }, 202),
      location: `/orders/checkout/${orderId}`,
      retryAfter: 1,
    };
  return errorAnswer(
    new UnavailableError("checkout_pending", `checkout ${id} is not settled yet; it will be by itself`),
  );
}
