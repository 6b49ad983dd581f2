/**
 * After every start and restart of a Redis or of the host: each service is restored, then the open sagas are resumed,
 * without waiting for a request or for a tick of the schedule. Asked through serverless-offline's Lambda endpoint:
 * there is no public route for it.
 */
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { SERVICES } from "./configuration.ts";
import { type Diagnostics } from "./diagnostics.ts";

const FUNCTION_PREFIX = "shop-offline-";
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
/** A long log takes its time to replay; longer than this is a host that hangs. */
const INVOCATION_TIMEOUT_MS = 300_000;

export class Recovery {
  readonly #lambdaPort: number;
  readonly #diagnostics: Diagnostics;
  readonly #stopping: AbortSignal;
  #demanded = 0;
  #running: Promise<void> | undefined;

  constructor(lambdaPort: number, diagnostics: Diagnostics, stopping: AbortSignal) {
    this.#lambdaPort = lambdaPort;
    this.#diagnostics = diagnostics;
    this.#stopping = stopping;
  }

  /** Resolves when all that was lost up to this call is back. A demand during a run makes it run once more. Never rejects. */
  async demand(): Promise<void> {
    this.#demanded++;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    await this.#running;
  }

  async #run(): Promise<void> {
    let done = 0;
    while (done < this.#demanded && !this.#isStopping()) {
      const aim = this.#demanded;
      const startedAt = Date.now();
      await Promise.all(SERVICES.map((service) => this.#untilItSucceeds(`${service}-maintain`)));
      await this.#untilItSucceeds("order-resume-sagas");
      done = aim;
      if (!this.#isStopping()) this.#diagnostics.note(`every service is restored and open sagas are resumed, in ${Date.now() - startedAt} ms`);
    }
  }

  #isStopping(): boolean {
    return this.#stopping.aborted;
  }

  async #untilItSucceeds(name: string): Promise<void> {
    for (let attempt = 0; !this.#isStopping(); attempt++) {
      try {
        await invoke(this.#lambdaPort, FUNCTION_PREFIX + name, this.#stopping);
        return;
      } catch (error) {
        if (this.#isStopping()) return;
        this.#diagnostics.note(`${name} failed, attempt ${attempt + 1}: ${(error as Error).message}`);
        // Full jitter is for many who retry at once; this is one.
        await sleep(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 10)), undefined, { signal: this.#stopping }).catch(() => undefined);
      }
    }
  }
}

/** The Lambda API's Invoke. @throws Error where the function is not there, throws, or answers with an error status */
async function invoke(lambdaPort: number, functionName: string, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const asked = request(
      { host: "127.0.0.1", port: lambdaPort, method: "POST", path: `/2015-03-31/functions/${functionName}/invocations`, agent: false, timeout: INVOCATION_TIMEOUT_MS, signal },
      (response) => {
        let said = "";
        response.on("data", (bytes: Buffer) => (said += bytes.toString()));
        response.once("error", reject);
        response.once("end", () => {
          const failed = response.statusCode !== 200 || response.headers["x-amz-function-error"] !== undefined || answersWithError(said);
          if (failed) reject(new Error(said.slice(0, 1_000) || `status ${response.statusCode}`));
          else resolve();
        });
      },
    );
    asked.once("timeout", () => asked.destroy(new Error(`no answer in ${INVOCATION_TIMEOUT_MS} ms`)));
    asked.once("error", reject);
    asked.end("{}");
  });
}

function answersWithError(payload: string): boolean {
  try {
    const { statusCode } = JSON.parse(payload) as { statusCode?: unknown };
    return typeof statusCode === "number" && statusCode >= 400;
  } catch {
    return false; // an empty answer, or text
  }
}
