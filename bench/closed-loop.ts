import { Pool } from "undici";

export interface Loop {
  readonly url: string;
  readonly connections: number;
  /** How many requests in all. */
  readonly count: number;
  readonly method?: "GET" | "POST";
  /** The path of the i-th request, from 0. */
  readonly path: (i: number) => string;
}

export interface LoopResult {
  readonly seconds: number;
  /** How many answers had each status. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Which requests were answered 200. */
  readonly succeeded: readonly number[];
  /** Milliseconds from the sending of a request to its whole answer, in ascending order. */
  readonly latencies: readonly number[];
}

/** As many clients as connections, each with one request under way at a time. */
export async function closedLoop({ url, connections, count, method = "POST", path }: Loop): Promise<LoopResult> {
  const pool = new Pool(url, { connections });
  const statuses = new Map<number, number>();
  const succeeded: number[] = [];
  const latencies: number[] = [];
  let next = 0;
  const started = performance.now();
  const client = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) {
      const sent = performance.now();
      const { statusCode, body } = await pool.request({ method, path: path(i) });
      await body.dump();
      latencies.push(performance.now() - sent);
      statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1);
      if (statusCode === 200) succeeded.push(i);
    }
  };
  await Promise.all(Array.from({ length: connections }, client));
  const seconds = (performance.now() - started) / 1_000;
  await pool.close();
  return { seconds, statuses, succeeded, latencies: latencies.sort((a, b) => a - b) };
}

/** The latency that a share of the requests did not exceed. */
export function percentile(latencies: readonly number[], share: number): number {
  return latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
}
