import type { APIGatewayProxyResult } from "aws-lambda";
import { LogError } from "log-replay";
import { OccError } from "redis-occ";
import { json, type Answer } from "../http/answer.ts";
import { errorAnswer } from "../http/error-answer.ts";
import { sendingTraces } from "../observe/traces.ts";
import type { ServiceName } from "../settings/services.ts";
import type { Service } from "../state/open-state.ts";
import { incoming, outgoingResult, type Incoming } from "./incoming.ts";
import type { Invocation } from "./time-left.ts";
import { withState } from "./with-state.ts";

/** Milliseconds that a service has to say how it is, and what that leaves of the invocation's own time for the answer. */
const PATIENCE = 1_000;
const RESERVE = 500;

/** What a monitor is told of a service. */
export type Health =
  | { readonly status: "serving"; readonly epoch: number }
  | { readonly status: "restoring" | "unavailable"; readonly error: HealthError };

export interface HealthError {
  readonly code: string;
  /** With the name of the setting that it is about. */
  readonly message: string;
  /** False where waiting does not help. */
  readonly retryable: boolean;
}

/**
 * GET /SERVICE/health: 200 with the state's epoch where the service can be read, behind the same checks as any other read; 503 with
 * what is in the way where it cannot.
 */
export function health(service: Service) {
  return sendingTraces(answering((invocation) => healthAnswer(service, invocation)));
}

/** A handler for monitors: no key, no parameters, and nothing that has to be restored before it answers. */
export function answering(answer: (invocation: Invocation) => Promise<Answer>) {
  return async (
    event: unknown,
    context?: Invocation & { callbackWaitsForEmptyEventLoop: boolean },
  ): Promise<APIGatewayProxyResult> => {
    if (context) context.callbackWaitsForEmptyEventLoop = false;
    return outgoingResult(await answer(context ?? {}), requestIn(event));
  };
}

async function healthAnswer(service: Service, invocation: Invocation): Promise<Answer> {
  try {
    return await withState(service, invocation, RESERVE, async (state) => {
      await state.occ.read(["ready"], { timeout: PATIENCE });
      return json({ status: "serving", epoch: state.epoch } satisfies Health);
    });
  } catch (error) {
    const { retryAfter = 1 } = errorAnswer(error);
    const problem = healthError(service, error);
    const body: Health = { status: problem.code === "restoring" ? "restoring" : "unavailable", error: problem };
    return { ...json(body, 503), retryAfter };
  }
}

function healthError({ name }: Service, error: unknown): HealthError {
  const message = wordsOf(error);
  if (!(error instanceof LogError || error instanceof OccError))
    return { code: "internal_error", message, retryable: true };
  const { code, retryable } = error;
  return { code, message: `${settingsOf(name, error)}: ${message}`, retryable };
}

/** Which settings it is about: where Redis is, where the log is, or both where they do not belong together. */
function settingsOf(name: ServiceName, { code }: LogError | OccError): string {
  const [redis, bucket] = [`REDIS_URL_${name.toUpperCase()}`, `LOG_BUCKET_${name.toUpperCase()}`];
  const log = `${process.env[bucket] ? bucket : "DATA_DIR"}: the log of ${name}`;
  if (code === "log_mismatch") return `${redis}, ${log}`;
  return code.startsWith("log_") || code === "restoring" ? log : redis;
}

/** An error's message with that of its cause: "the time is up" alone does not say what took the time. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : wordsOf(error.cause);
  return cause === "" || error.message.includes(cause) ? error.message : `${error.message} (${cause})`;
}

/** Null where the host itself asks, without a request. */
function requestIn(event: unknown): Incoming | null {
  try {
    return incoming(event);
  } catch {
    return null;
  }
}
