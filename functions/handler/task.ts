import middy from "@middy/core";
import type { Context } from "aws-lambda";
import type { LoggedRedis } from "log-replay";
import { restoreState } from "log-replay/middleware";
import { stopsAfterAnswer } from "../settings/configuration.ts";
import { openState, type Service } from "../state/open-state.ts";
import { sendingTraces } from "../observe/traces.ts";
import { describe, log } from "../request-log.ts";
import { timeLeft } from "./time-left.ts";

/** Milliseconds: how long a task works at most, where it does not say, and what it leaves of the invocation's own time. */
export const TASK_PATIENCE = 25_000;
const RESERVE = 1_000;

/** One run of a task. */
export interface TaskRun {
  readonly state: LoggedRedis;
  /** When it has to end; milliseconds since 1970. The next run does what is left over. */
  readonly deadline: number;
}

/**
 * A scheduled function as a Lambda handler. Its result goes into the log and to whoever invoked it.
 * @param patience milliseconds that a run works at most
 */
export function task<R extends object>(
  service: Service,
  name: string,
  work: (run: TaskRun) => Promise<R>,
  patience = TASK_PATIENCE,
) {
  const handled = middy<unknown, R>()
    .before(({ context }) => void (context.callbackWaitsForEmptyEventLoop = false))
    .onError(({ error }) => log("error", name, { service: service.name, error: describe(error, true) }))
    .use(
      restoreState({
        state: () => openState(service),
        timeout: TASK_PATIENCE,
        reserve: RESERVE,
        finish: stopsAfterAnswer(),
      }),
    )
    .handler(async (_event, context) => {
      const started = Date.now();
      const deadline = started + timeLeft(context, patience, RESERVE);
      const result = await work({ state: await openState(service), deadline });
      if (Object.values(result).some((value) => value !== 0))
        log("info", name, { service: service.name, ms: Date.now() - started, ...result });
      return result;
    });
  return sendingTraces((event: unknown, context: Context): Promise<R> => handled(event, context));
}
