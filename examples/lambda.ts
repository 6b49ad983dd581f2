/** A Lambda with both layers: the state is restored before the handler runs, and a repeated request gets the first answer. */
import middy from "@middy/core";
import { LoggedRedis, openFileStore } from "log-replay";
import { restoreState } from "log-replay/middleware";
import { processWide } from "log-replay/process-wide";
import { OccError } from "redis-occ";

/** One for the process: connections and the log's writer outlive an invocation. */
const openState = (): Promise<LoggedRedis> =>
  processWide("bookings", async () => {
    const { REDIS_URL: url = "redis://127.0.0.1:6379", LOG_FOLDER: folder = "/mnt/log" } = process.env;
    return new LoggedRedis({ url, store: await openFileStore({ folder }) });
  });

interface Booking {
  /** The caller's own name for it: sent again after a 503 or 504, it is booked once. */
  readonly request: string;
  readonly seat: string;
}

async function book({ request, seat }: Booking): Promise<{ statusCode: number; body: string }> {
  const { occ } = await openState();
  const [mine, taken] = [`booking:${request}`, `seat:${seat}`];
  try {
    const body = await occ.transact([mine, taken], (view) => {
      const first = view.get<string>(mine);
      if (first !== null) return { result: first };
      const answer = view.get(taken) === null ? `${seat} is yours` : `${seat} is taken`;
      return { result: answer, set: { [mine]: answer, ...(answer.endsWith("yours") ? { [taken]: request } : {}) } };
    });
    return { statusCode: 200, body };
  } catch (error) {
    if (!(error instanceof OccError)) throw error;
    return { statusCode: error.unchanged ? 503 : 504, body: error.code };
  }
}

export const handler = middy(book).use(restoreState({ state: openState, finish: true }));
