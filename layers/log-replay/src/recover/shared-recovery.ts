import { recover, type Recovered, type RecoveryOptions } from "./recovery.ts";

/** One recovery at a time in a process, for all who wait. */
export class SharedRecovery {
  readonly #options: Omit<RecoveryOptions, "failures" | "onFailure">;
  #running: Promise<Recovered> | undefined;
  /** The last restore that failed with an epoch claimed: until its pause is over nobody tries again. */
  #failed: { readonly error: unknown; readonly until: number; readonly times: number } | undefined;
  /** The server process that the last recovery has found the state on. */
  #server: string | undefined;

  constructor(options: Omit<RecoveryOptions, "failures" | "onFailure">) {
    this.#options = options;
  }

  get server(): string | undefined {
    return this.#server;
  }

  /** @param over as that of `recover` @throws as `recover`, also again while the pause after a failed restore lasts */
  async recover(over: number): Promise<void> {
    const failed = this.#failed;
    if (failed !== undefined && performance.now() < failed.until) throw failed.error;
    const failures = failed?.times ?? 0;
    const onFailure = (error: unknown, pause: number): void => {
      this.#failed = { error, until: performance.now() + pause, times: failures + 1 };
    };
    this.#running ??= recover({ ...this.#options, failures, onFailure }, over).finally(
      () => (this.#running = undefined),
    );
    this.#server = (await this.#running).runId;
    this.#failed = undefined;
  }

  /** Resolves once none is under way. */
  async idle(): Promise<void> {
    await this.#running?.catch(() => undefined);
  }
}
