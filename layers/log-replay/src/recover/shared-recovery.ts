import { recover, type Recovered, type RecoveryOptions } from "./recovery.ts";

/** What is the same for each recovery. */
type Options = Omit<RecoveryOptions, "failures" | "onFailure" | "onTaken">;

/** One recovery at a time in a process, for all who wait. */
export class SharedRecovery {
  readonly #options: Options;
  #running: Promise<Recovered> | undefined;
  #restores = false;
  /** The last restore that failed with an epoch claimed: until its pause is over nobody tries again. */
  #failed: { readonly error: unknown; readonly until: number; readonly times: number } | undefined;
  /** The server process that the last recovery has found the state on. */
  #server: string | undefined;

  constructor(options: Options) {
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
    const onTaken = (): void => void (this.#restores = true);
    this.#running ??= recover({ ...this.#options, failures, onFailure, onTaken }, over).finally(() => {
      this.#running = undefined;
      this.#restores = false;
    });
    this.#server = (await this.#running).runId;
    this.#failed = undefined;
  }

  /** Resolves once the restore that this process makes has ended, well or not; at once where it makes none. */
  async restored(): Promise<void> {
    if (this.#restores) await this.idle();
  }

  /** Resolves once none is under way. */
  async idle(): Promise<void> {
    await this.#running?.catch(() => undefined);
  }
}
