import http from "node:http";
import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { AwsV4Signer } from "aws4fetch";
import { StoreUnavailableError } from "../../errors.ts";
import { bucketUrl } from "./address.ts";
import { parseListing, type Listed } from "./listing.ts";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

/**
 * Which bucket, who asks, and how long.
 *
 * @example
 * const options: BucketOptions = { bucket: "logs", region: "eu-central-1", credentials: fromNodeProviderChain() };
 */
export interface BucketOptions {
  readonly bucket: string;
  readonly region: string;
  /** The address of an S3 that is not Amazon's: `http://127.0.0.1:9000`. It is asked with the bucket in the path. */
  readonly endpoint?: string;
  /** Asked for each request. Default: the variables that Lambda sets. */
  readonly credentials?: () => Credentials | Promise<Credentials>;
  /** Milliseconds for one attempt at a request. Default 2,000. */
  readonly attemptTimeout?: number;
  /**
   * Milliseconds for which a request that S3 throttles is sent again, at least three times: the process may have been stopped for
   * all of them. Default 8,000: a transaction waits for longer, and an append that is given up costs a restore, which S3 would
   * have to bear as well.
   */
  readonly throttlePatience?: number;
}

/**
 * Attempts at one request, and the milliseconds of the longest pause after the first failure, which doubles each time.
 */
const ATTEMPTS = 4;
const PAUSE = 50;
/** Milliseconds of the longest pause between two attempts that are throttled. */
const LONGEST_PAUSE = 1_000;
/** As many as S3 deletes by one request. */
const DELETES_AT_ONCE = 1_000;

interface Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST";
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

interface Response {
  readonly status: number;
  readonly body: Buffer;
}

/**
 * As much of the S3 API as a log needs. A failure that may pass is tried again. Any other, and one that does not pass,
 * is a StoreUnavailableError.
 *
 * aws4fetch signs the requests and Node's own client sends them: the SDK takes twice the time to load, and each cold
 * start would pay that.
 */
export class Bucket {
  readonly #url: string;
  readonly #region: string;
  readonly #credentials: () => Credentials | Promise<Credentials>;
  readonly #timeout: number;
  readonly #patience: number;
  readonly #client: typeof http | typeof https;
  #agent: http.Agent;
  /** Keys derived for a day, by the signer. */
  readonly #signingKeys = new Map<string, ArrayBuffer>();

  constructor({
    bucket,
    region,
    endpoint,
    credentials = environmentCredentials,
    attemptTimeout = 2_000,
    throttlePatience = 8_000,
  }: BucketOptions) {
    this.#url = bucketUrl(bucket, region, endpoint);
    this.#region = region;
    this.#credentials = credentials;
    this.#timeout = attemptTimeout;
    this.#patience = throttlePatience;
    this.#client = this.#url.startsWith("https:") ? https : http;
    this.#agent = this.#newAgent();
  }

  #newAgent(): http.Agent {
    return new this.#client.Agent({ keepAlive: true, maxSockets: 64 });
  }

  /**
   * One connection gives no answer: what cut it without a word has as a rule cut those that are idle as well, and each would cost
   * a whole attempt. They are closed; what is under way on others goes on.
   */
  #suspect(agent: http.Agent): void {
    if (agent !== this.#agent) return;
    this.#agent = this.#newAgent();
    for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }

  /**
   * Creates an object, never overwrites one.
   * @returns true where the object is there with exactly this content: made by this call, also by an attempt of it
   *   whose answer was lost. So an object that only one may win has content that only one writes.
   */
  async create(key: string, body: Buffer): Promise<boolean> {
    const response = await this.#request({
      method: "PUT",
      key,
      headers: { "if-none-match": "*", ...checksumOf(body) },
      body,
    });
    if (response.status === 200) return true;
    if (response.status !== 412) throw refused("PUT", key, response);
    return (await this.get(key))?.equals(body) ?? false;
  }

  /** @returns null where there is none */
  async get(key: string): Promise<Buffer | null> {
    const response = await this.#request({ method: "GET", key });
    if (response.status === 200) return response.body;
    if (isMissing(response)) return null;
    throw refused("GET", key, response);
  }

  /** Sees every object that was created before the call. */
  async has(key: string): Promise<boolean> {
    const response = await this.#request({ method: "HEAD", key });
    // An answer to HEAD has no body, which could tell a missing bucket from a missing key.
    if (response.status !== 200 && response.status !== 404) throw refused("HEAD", key, response);
    return response.status === 200;
  }

  /** Deletes those that are there. The keys must need no escaping in XML. */
  async delete(keys: readonly string[]): Promise<void> {
    for (let from = 0; from < keys.length; from += DELETES_AT_ONCE) {
      const objects = keys
        .slice(from, from + DELETES_AT_ONCE)
        .map((key) => `<Object><Key>${key}</Key></Object>`)
        .join("");
      const body = Buffer.from(
        `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>${objects}</Delete>`,
      );
      const response = await this.#request({ method: "POST", query: { delete: "" }, headers: checksumOf(body), body });
      // Each object has an outcome of its own, and what went wrong with one is in the body of a 200.
      if (response.status !== 200 || response.body.includes("<Error>"))
        throw refused("DELETE", keys[from] ?? "", response);
    }
  }

  /** All objects whose keys begin with `prefix` and come after `after`, in the order of their keys, as many pages as it takes. */
  async list(prefix: string, after?: string): Promise<Listed[]> {
    const objects: Listed[] = [];
    for (let token: string | undefined; ;) {
      const from =
        token !== undefined ? { "continuation-token": token } : after !== undefined ? { "start-after": after } : {};
      const query = { "list-type": "2", prefix, ...from };
      const response = await this.#request({ method: "GET", query });
      if (response.status !== 200) throw refused("LIST", prefix, response);
      const page = parseListing(response.body.toString("utf8"));
      objects.push(...page.objects);
      if (page.next === undefined) return objects;
      token = page.next;
    }
  }

  async #request(request: Request): Promise<Response> {
    // By no clock that somebody can set.
    const end = performance.now() + this.#patience;
    let failures = 0;
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await this.#attempt(request);
        const throttled = isThrottled(request.method, response);
        if (!throttled && !isTransient(response.status)) return response;
        const error = refused(request.method, request.key ?? "", response);
        const isOver = attempt >= ATTEMPTS && performance.now() >= end;
        if (throttled ? isOver : ++failures === ATTEMPTS) throw error;
      } catch (error) {
        if (error instanceof StoreUnavailableError) throw error;
        if (++failures === ATTEMPTS)
          throw new StoreUnavailableError(`${request.method} ${request.key ?? ""}: ${(error as Error).message}`, {
            cause: error,
          });
      }
      await sleep(Math.random() * Math.min(LONGEST_PAUSE, PAUSE * 2 ** (attempt - 1)));
    }
  }

  async #attempt({ method, key = "", query = {}, headers = {}, body }: Request): Promise<Response> {
    const { accessKeyId, secretAccessKey, sessionToken } = await this.#credentials();
    const url = new URL(this.#url + key);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const signed = await new AwsV4Signer({
      method,
      url: url.href,
      headers: { ...headers },
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      service: "s3",
      region: this.#region,
      cache: this.#signingKeys,
    }).sign();
    const length = body === undefined ? {} : { "content-length": String(body.length) };
    return this.#send(signed.url, method, { ...Object.fromEntries(signed.headers), ...length }, body);
  }

  #send(url: URL, method: string, headers: Record<string, string>, body: Buffer | undefined): Promise<Response> {
    return new Promise((resolve, reject) => {
      const agent = this.#agent;
      const request = this.#client.request(url, { method, headers, agent });
      const timer = setTimeout(() => {
        this.#suspect(agent);
        request.destroy(new Error(`no answer within ${this.#timeout} ms`));
      }, this.#timeout);
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
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) });
        });
      });
      request.end(body);
    });
  }
}

/** S3 asks for fewer requests, or for patience: the same request passes once there are. An answer to HEAD has no body that could say so. */
function isThrottled(method: string, response: Response): boolean {
  const { status } = response;
  if (status === 429 || (status === 503 && method === "HEAD")) return true;
  return (
    (status === 503 || status === 400) && /^(?:SlowDown|RequestTimeout|Throttling\w*)$/.test(codeOf(response) ?? "")
  );
}

/** Broken, or two conditional writes at the same instant (409): the same request may pass later. */
function isTransient(status: number): boolean {
  return status === 409 || status >= 500;
}

/** S3 refuses a body that was changed on the way. */
function checksumOf(body: Buffer): Record<string, string> {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return { "x-amz-checksum-crc32": sum.toString("base64") };
}

function isMissing({ status, body }: Response): boolean {
  return status === 404 && !body.includes("NoSuchBucket");
}

function refused(method: string, key: string, response: Response): StoreUnavailableError {
  const { status } = response;
  const code = codeOf(response);
  return new StoreUnavailableError(`${method} ${key}: ${status}${code === undefined ? "" : ` ${code}`}`, {
    // What went wrong with one of several objects is in the body of a 200.
    transient: status === 200 || isThrottled(method, response) || isTransient(status),
  });
}

function codeOf({ body }: Response): string | undefined {
  return /<Code>([^<]*)<\/Code>/.exec(body.toString("utf8"))?.[1];
}

function environmentCredentials(): Credentials {
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = process.env;
  if (!accessKeyId || !secretAccessKey) throw new Error("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set");
  return { accessKeyId, secretAccessKey, sessionToken: sessionToken || undefined };
}
