/** What the supervisor and the host that it has started say to each other. */

/** From the supervisor: run a function, as the scheduler would. */
export interface InvokeRequest {
  readonly id: number;
  readonly invoke: string;
}

/** From the host: it serves; or what became of an invocation. */
export type HostMessage =
  | { readonly serving: true }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string };
