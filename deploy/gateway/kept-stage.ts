/**
 * The stage `local`, deployed again whenever it is gone: LocalStack forgets everything when it is restarted, the logs of the
 * shop with it. Redis does not, and would then hold a state that no log knows: so it is emptied before.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { SERVICES } from "../../host/configuration.ts";
import { deployLocally, isDeployed, type LocalStage } from "../stage-local.ts";

const POLL_MS = 2_000;

export class KeptStage {
  readonly #endpoint: string;
  readonly #environment: Readonly<Record<string, string>>;
  #base: URL | undefined;

  /** @param environment as `deployLocally` takes it */
  constructor(endpoint: string, environment: Readonly<Record<string, string>>) {
    this.#endpoint = endpoint;
    this.#environment = environment;
  }

  /** The URL that all routes begin with; undefined while the stage is not deployed. */
  get base(): URL | undefined {
    return this.#base;
  }

  /** Deploys what there is not yet of it. @throws Error */
  async deploy(): Promise<LocalStage> {
    this.#base = undefined;
    if (!(await isDeployed(this.#endpoint, this.#environment))) await this.#emptyRedis();
    const stage = await deployLocally(this.#endpoint, this.#environment);
    this.#base = new URL(stage.url);
    return stage;
  }

  /** Never resolves. A deployment that fails is reported and tried again. @param report a line for a person */
  async keep(report: (line: string) => void): Promise<never> {
    let failure = "";
    for (;;) {
      await sleep(POLL_MS);
      try {
        if (this.#base !== undefined && (await isDeployed(this.#endpoint, this.#environment))) continue;
        report("the stack is gone: it is deployed again, on empty Redis servers");
        report(`ready: ${(await this.deploy()).url}`);
      } catch (error) {
        const { message } = error as Error;
        if (message !== failure) report(`error: ${message}`);
        failure = message;
      }
    }
  }

  async #emptyRedis(): Promise<void> {
    for (const service of SERVICES) {
      const redis = new Redis(this.#environment[`REDIS_URL_${service.toUpperCase()}`] ?? "", { lazyConnect: true });
      try {
        await redis.connect();
        await redis.flushdb();
      } finally {
        redis.disconnect();
      }
    }
  }
}
