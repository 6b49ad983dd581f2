/** What the load client is asked to send, and what it reports. Plain data, because it crosses a process boundary. */
export interface LoadJob {
  readonly url: string;
  readonly method: "GET" | "POST";
  /** One request each, in this order; none is sent twice. */
  readonly paths: readonly string[];
  /** The most requests under way at the same time. */
  readonly connections: number;
  /**
   * Requests to start in a second, whatever became of those before (open loop). Without it, each connection sends its
   * next request when it has the answer to the one before (closed loop).
   */
  readonly rate?: number;
  /** Whether the answers are to be handed over. */
  readonly bodies?: boolean;
}

export interface LoadResult {
  readonly seconds: number;
  /** The status of each request, in the order of `paths`; 0 where no answer came. */
  readonly statuses: readonly number[];
  /**
   * Milliseconds, in the order of `paths`: from the sending of the request in a closed loop, from the moment at which it
   * was due in an open one, so that a server that stalls pays for all who had to wait.
   */
  readonly latencies: readonly number[];
  readonly bodies: readonly string[];
  /** The share of one core that the client itself needed. Near 1, the figures are those of the client. */
  readonly clientLoad: number;
}
