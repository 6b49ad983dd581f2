import { setTimeout as sleep } from "node:timers/promises";
import type { APIGatewayProxyResult } from "aws-lambda";
import { leap } from "./clock.ts";
import type { Fault } from "./gateway.ts";

const OF_THE_GATEWAY: unknown = { message: "an answer of the gateway's own" };

const answer = (statusCode: number, body = OF_THE_GATEWAY): APIGatewayProxyResult => ({
  statusCode,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

/** The body of an error in the form that the services use. */
export const errorOf = (code: string): unknown => ({ error: { code, message: "a test's" } });

/** Answers in the handler's place: it was never asked. */
export const insteadOf =
  (status: number, body?: unknown): Fault =>
  async () =>
    answer(status, body);
/** The handler did its work; its answer is replaced. */
export const after =
  (status: number): Fault =>
  async (execute) => (await execute(), answer(status));
/** The handler did its work; the connection breaks before its answer. */
export const dropAnswer: Fault = async (execute) => (await execute(), "break");
/** The connection breaks before the handler is asked. */
export const breakBefore: Fault = async () => "break";
/** Nothing happens, and there is no answer. */
export const hang: Fault = async () => "hang";
/** The handler does its work; there is no answer. */
export const hangAfter: Fault = async (execute) => (await execute(), "hang");
/** Slow on its way there. @param ms milliseconds */
export const delay =
  (ms: number): Fault =>
  async (execute) => (await sleep(ms), execute());
/** The same request arrives twice at the same time. */
export const twiceAtOnce: Fault = async (execute) => {
  const [first] = await Promise.all([execute(), execute()]);
  return first;
};
/** So late that every deadline of the request that waits for it has passed. */
export const tooLate =
  (fault: Fault, milliseconds = 600_000): Fault =>
  async (execute) => {
    const sent = await fault(execute);
    leap(milliseconds);
    return sent;
  };
