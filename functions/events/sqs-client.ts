import http from "node:http";
import https from "node:https";
import { urlToHttpOptions } from "node:url";
import { UnavailableError } from "../errors.ts";

export interface SqsClientOptions {
  /** `https://sqs.eu-central-1.amazonaws.com` */
  readonly endpoint: string;
  readonly region: string;
}

export type SqsAction =
  | "ChangeMessageVisibilityBatch"
  | "CreateQueue"
  | "DeleteMessageBatch"
  | "GetQueueAttributes"
  | "GetQueueUrl"
  | "ReceiveMessage"
  | "SendMessageBatch";

export interface SqsCallOptions {
  /** Milliseconds. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

const TIMEOUT = 3_000;

/** Whether an error of `call` says that there is no such queue: by SQS's name for that, or by its older one. */
export function saysNoQueue({ cause }: Error): boolean {
  return cause instanceof Error && /QueueDoesNotExist|NonExistentQueue/.test(cause.message);
}

/**
 * As much of the SQS API as the shop needs, one attempt a call. Signed by aws4fetch where there are credentials, and sent by
 * Node's own client: a queue server of the shop's own asks for none.
 */
export class SqsClient {
  readonly #url: string;
  readonly #region: string;
  readonly #client: typeof http | typeof https;
  readonly #agent: http.Agent;
  readonly #options: https.RequestOptions;
  /** Keys derived for a day, by the signer. */
  readonly #signingKeys = new Map<string, ArrayBuffer>();

  constructor({ endpoint, region }: SqsClientOptions) {
    this.#url = `${endpoint}/`;
    this.#region = region;
    this.#client = this.#url.startsWith("https:") ? https : http;
    this.#agent = new this.#client.Agent({ keepAlive: true, maxSockets: 64 });
    // All its sockets lead to one server: no name for that has to be put together for each request.
    this.#agent.getName = () => "";
    this.#options = { ...urlToHttpOptions(new URL(this.#url)), method: "POST", agent: this.#agent };
  }

  /** @throws UnavailableError where there is no answer, or one that is no 200: the cause says which */
  async call<T>(action: SqsAction, input: object, { timeout = TIMEOUT, signal }: SqsCallOptions = {}): Promise<T> {
    const body = JSON.stringify(input);
    const headers = { "content-type": "application/x-amz-json-1.0", "x-amz-target": `AmazonSQS.${action}` };
    try {
      return JSON.parse(await this.#send(await this.#signed(headers, body), body, timeout, signal)) as T;
    } catch (cause) {
      throw new UnavailableError("service_unavailable", `${action}: the queue does not answer`, { cause });
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #signed(headers: Record<string, string>, body: string): Promise<Record<string, string>> {
    const {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_SESSION_TOKEN: sessionToken,
    } = process.env;
    if (!accessKeyId || !secretAccessKey) return headers;
    const { AwsV4Signer } = await import("aws4fetch");
    const signer = new AwsV4Signer({
      method: "POST",
      url: this.#url,
      headers,
      body,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken ? { sessionToken } : {}),
      service: "sqs",
      region: this.#region,
      cache: this.#signingKeys,
    });
    return Object.fromEntries((await signer.sign()).headers);
  }

  #send(
    headers: Record<string, string>,
    body: string,
    timeout: number,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    return new Promise((resolve, reject) => {
      const request = this.#client.request({
        ...this.#options,
        headers: { ...headers, "content-length": Buffer.byteLength(body) },
        ...(signal ? { signal } : {}),
      });
      const timer = setTimeout(() => request.destroy(new Error(`no answer within ${timeout} ms`)), timeout);
      const fail = (error: Error): void => {
        clearTimeout(timer);
        reject(error);
      };
      request.on("error", fail);
      request.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", fail);
        response.on("end", () => {
          clearTimeout(timer);
          const text = Buffer.concat(chunks).toString("utf8");
          if (response.statusCode === 200) resolve(text);
          else reject(new Error(`${response.statusCode ?? 0} ${text.slice(0, 300)}`));
        });
      });
      request.end(body);
    });
  }
}
