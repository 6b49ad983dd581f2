/**
 * serverless-offline's interface of its HTTP part. Its own part answers otherwise than API Gateway in many cases. Ours is the server of
 * `npm run serve`, so both hosts keep one contract. Bundles, schedules and the Lambda API stay serverless-offline's.
 */
import { resolve } from "node:path";
import { numberOf, textOrDefault } from "../../functions/settings/settings.ts";
import { gatewayServer } from "../http/gateway-server.ts";
import type { FunctionServer } from "../http/server.ts";
import { observe } from "../observe/observe.ts";
import { bundledFunctions } from "./bundled-functions.ts";

/** Milliseconds: longer than a request works. */
const DRAIN_PATIENCE = 11_000;
/** Milliseconds for what is said before the process ends. */
const LAST_WORDS = 500;

export default class Http {
  readonly #codeDir: string;
  #server: FunctionServer | undefined;

  /** @param options serverless-esbuild has written there where its bundles are */
  constructor(
    serverless: { readonly config: { readonly servicePath: string } },
    options: { readonly location?: string },
  ) {
    this.#codeDir = resolve(serverless.config.servicePath, options.location ?? "");
  }

  async createServer(): Promise<void> {
    try {
      await observe();
      this.#server = gatewayServer(await bundledFunctions(this.#codeDir));
    } catch (error) {
      // serverless-offline reports it, and goes on without: its supervisor would wait for ever.
      setTimeout(() => process.exit(1), LAST_WORDS);
      throw error;
    }
  }

  /** Routes are read from serverless.yml. */
  create(): void {}
  createResourceRoutes(): void {}
  create404Route(): void {}

  async start(): Promise<void> {
    await this.#server?.listen(numberOf(process.env, "HTTP_PORT"), textOrDefault(process.env, "HTTP_HOST"));
  }

  async stop(): Promise<void> {
    await this.#server?.drain(DRAIN_PATIENCE);
    await (await observe()).end().catch(() => undefined);
  }

  getServer(): FunctionServer | undefined {
    return this.#server;
  }
}
