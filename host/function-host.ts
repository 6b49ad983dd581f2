/** The process that serves the functions, as the supervisor sees it. */
import type { Invoke } from "./recovery.ts";
import type { Child } from "./supervised-process.ts";

export interface FunctionHost {
  /** @param environment of the functions */
  readonly child: (environment: Readonly<Record<string, string>>) => Child;
  readonly invoke: Invoke;
  /** Ports that it needs, each with the name of its setting; on loopback, where no host is named. */
  readonly ports: readonly { readonly port: number; readonly setting: string; readonly host?: string }[];
  /** Milliseconds from SIGTERM to SIGKILL: it ends the requests that it has. */
  readonly patience: number;
  /** Removes what it leaves behind; called once it is gone. */
  readonly cleanUp: () => void;
}
