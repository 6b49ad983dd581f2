/** What the load client is asked to send, and what it tells of it: plain data, for it crosses a process boundary. */
export interface LoadJob {
  readonly url: string;
  readonly method: "GET" | "POST";
  /** One request each, in this order; none is sent twice. */
  readonly paths: readonly string[];
  /** Requests under way at the same time at most. */
  readonly connections: number;
  /**
   * Requests a second to start, whatever became of those before (open loop); without it each connection sends its next
   * request when it has the answer of the one before (closed loop).
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
  /** Of one core, how much the client itself needed: near 1 the figures are of the client. */
  readonly clientLoad: number;
}
