/** An event-sourced counter, on log-replay: what happened is the log, and any moment of it can be looked at. */
import { readHistory, stateAt, type LoggedRedis, type LogStore } from "log-replay";

export interface Event {
  readonly at: string;
  readonly by: number;
  readonly why: string;
}

export function count(state: LoggedRedis, by: number, why: string): Promise<number> {
  const rule = (view: { get<T>(key: string): T | null }): { result: number; set: { counter: number } } => {
    const counter = (view.get<number>("counter") ?? 0) + by;
    return { result: counter, set: { counter } };
  };
  return state.occ.transact(["counter"], rule, { meta: { op: "count", by, why } });
}

/** What led to the present value, from the first. Needs no Redis. */
export async function events(store: LogStore): Promise<Event[]> {
  const found: Event[] = [];
  for await (const { at, by, why } of readHistory(store)) found.push({ at, by: Number(by), why: String(why) });
  return found;
}

/** The value after the first `n` events. */
export async function valueAfter(store: LogStore, n: number): Promise<number> {
  const { images } = await stateAt(store, { n });
  return Number(images.get("counter")?.image ?? 0);
}
