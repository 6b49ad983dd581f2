/** A client of the shop, over as many hosts as it has, that tells an answer from the lack of one. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "undici";
import { sign, SIGNATURE_HEADER } from "../../functions/calls/signature.ts";

export interface Answer {
  readonly status: number;
  /** The content type; empty where there is none. */
  readonly type: string;
  readonly retryAfter: string | null;
  readonly body: string;
}

export interface Request {
  readonly method: "GET" | "POST" | "PUT" | "DELETE" | "PATCH";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const STARTING: ReadonlySet<string> = new Set(["restoring", "service_unavailable"]);

/** No connection was made: the request was never sent, and nothing can have come of it. */
export class UnreachedError extends Error {
  override readonly name = "UnreachedError";
}

/** The connection broke, or the host died: what came of the request is not known. */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
}

/**
 * Milliseconds, far more than the shop takes to answer anything: it only keeps a hanging host from hanging the tests.
 */
const PATIENCE = 180_000;

export class Client {
  readonly #hosts: readonly { readonly pool: Pool; readonly base: string }[];
  readonly #attempts: number;
  #next = 0;

  /**
   * @param urls may have a path, which the routes' own paths follow
   * @param connections for each host
   * @param attempts of a request that a process which is just starting answers by 503, or one that has asked such a process: it
   *   changed nothing
   */
  constructor(urls: readonly string[], connections = 64, attempts = 1) {
    this.#attempts = attempts;
    this.#hosts = urls.map((url) => {
      const { origin, pathname } = new URL(url);
      return {
        pool: new Pool(origin, {
          connections,
          headersTimeout: PATIENCE,
          bodyTimeout: PATIENCE,
          connectTimeout: PATIENCE,
        }),
        base: pathname.replace(/\/$/, ""),
      };
    });
  }

  /**
   * Sends the request, to one host after the other.
   * @throws UnreachedError; NoAnswerError
   */
  async send(request: Request): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#sendOnce(request);
      const starting = answer.status === 503 && STARTING.has(errorCode(answer));
      if (!starting || attempt >= this.#attempts) return answer;
      await sleep(Number(answer.retryAfter) * 1_000);
    }
  }

  async #sendOnce({ method, path, headers = {}, body }: Request): Promise<Answer> {
    const { pool, base } = this.#hosts[this.#next++ % this.#hosts.length]!;
    try {
      const response = await pool.request({
        method,
        path: base + path,
        headers,
        ...(body === undefined ? {} : { body }),
      });
      const text = await response.body.text();
      return {
        status: response.statusCode,
        type: one(response.headers["content-type"]) ?? "",
        retryAfter: one(response.headers["retry-after"]),
        body: text,
      };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "ECONNREFUSED") throw new UnreachedError(message, { cause: error });
      throw new NoAnswerError(`${code ?? ""} ${message}`, { cause: error });
    }
  }

  get(path: string): Promise<Answer> {
    return this.send({ method: "GET", path });
  }

  post(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.send({ method: "POST", path, headers });
  }

  /** Repeats a request that may safely be repeated until the shop answers it. @throws Error for any answer but 200 */
  async insist(request: Request): Promise<string> {
    for (;;) {
      const answer = await this.send(request).catch((error: unknown) => {
        if (error instanceof UnreachedError || error instanceof NoAnswerError) return null;
        throw error;
      });
      if (answer?.status === 200) return answer.body;
      if (answer !== null && answer.status !== 503 && answer.status !== 504)
        throw new Error(`${request.method} ${request.path}: ${answer.status} ${answer.body}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#hosts.map(({ pool }) => pool.destroy()));
  }
}

/** A step of a saga, signed as the order service signs it. */
export function signedStep(dataDir: string, path: string, content: unknown, at = Date.now()): Request {
  const secret = readFileSync(join(dataDir, "secrets", "internal-secret"), "utf8").trim();
  const body = JSON.stringify(content);
  return {
    method: "POST",
    path,
    body,
    headers: {
      "content-type": "application/json",
      [SIGNATURE_HEADER]: sign({ method: "POST", path, body }, secret, at),
    },
  };
}

export function errorCode({ body }: Answer): string {
  const { error } = JSON.parse(body) as { error?: { code?: unknown } | string };
  return typeof error === "object" ? String(error.code) : "";
}

function one(header: string | string[] | undefined): string | null {
  return (Array.isArray(header) ? header[0] : header) ?? null;
}
