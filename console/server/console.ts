/** The console as a handler of HTTP requests below /console. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { parse } from "node:querystring";
import { COOKIE, isForeign, isLocal, Token, type Asked } from "./access.ts";
import type { Action } from "./action.ts";
import { answer, answerError, answerJson } from "./answer.ts";
import { assets } from "./assets.ts";
import { Live } from "./live.ts";
import { BadRequestError, ROUTES } from "./routes.ts";
import type { ShopView } from "./shop-view.ts";

export const PREFIX = "/console";

export interface ConsoleOptions {
  readonly view: ShopView;
  readonly token: string;
  readonly actions: Readonly<Record<string, Action>>;
}

/** Bytes of a request's body. */
const LARGEST_BODY = 4_096;

export class Console {
  readonly #view: ShopView;
  readonly #token: Token;
  readonly #actions: ConsoleOptions["actions"];
  readonly #live: Live;

  constructor({ view, token, actions }: ConsoleOptions) {
    this.#view = view;
    this.#token = new Token(token);
    this.#actions = actions;
    this.#live = new Live(view);
  }

  get viewers(): number {
    return this.#live.viewers;
  }

  close(): void {
    this.#live.close();
  }

  /**
   * Answers a request. Never rejects.
   * @param address whom it is from
   */
  async handle(request: IncomingMessage, response: ServerResponse, address: string): Promise<void> {
    try {
      await this.#handle(request, response, { headers: request.headers, address });
    } catch (error) {
      if (response.headersSent) response.destroy();
      else if (error instanceof BadRequestError) answerError(response, 400, "bad_request", error.message);
      else answerError(response, 500, "internal_error", error instanceof Error ? error.message : String(error));
    }
  }

  async #handle(request: IncomingMessage, response: ServerResponse, asked: Asked): Promise<void> {
    const [path = "", query = ""] = (request.url ?? "").slice(PREFIX.length).split("?", 2);
    if (request.method === "POST") return this.#post(path, request, response, asked);
    if (request.method !== "GET" && request.method !== "HEAD")
      return answerError(response, 405, "method_not_allowed", `${request.method} is not done here`);
    if (path === "") return answer(response, 308, "text/plain", "", { location: `${PREFIX}/${query && `?${query}`}` });
    const [, name = "", ...rest] = path.split("/");
    // The page itself tells nothing; it asks for the token where one is needed.
    if (name !== "api") return this.#asset(name, response);
    if (!isLocal(asked) && !this.#token.isIn(asked))
      return answerError(response, 401, "token_required", "the console's token is needed from beyond this machine");
    const [route = "", ...parts] = rest;
    if (route === "live")
      return void (
        this.#live.join(response) || answerError(response, 503, "too_many_viewers", "too many watch already")
      );
    if (route === "about") return answerJson(response, 200, this.#about(asked));
    const run = Object.hasOwn(ROUTES, route) ? ROUTES[route] : undefined;
    if (run === undefined) return answerError(response, 404, "not_found", `there is no ${path}`);
    const found: unknown = await run(this.#view, parse(query), parts.map(decoded));
    if (found === null) answerError(response, 404, "not_found", "the logs do not have it");
    else answerJson(response, 200, found);
  }

  async #asset(name: string, response: ServerResponse): Promise<void> {
    const all = await assets();
    // What is no file is a page of the application: its own code reads the address.
    const asset = all.get(name) ?? (name.includes(".") ? undefined : all.get(""));
    if (asset === undefined) return answerError(response, 404, "not_found", `there is no ${name}`);
    // A file's name changes with its content.
    const lasting = all.has(name) && name !== "";
    answer(response, 200, asset.type, asset.body, lasting ? { "cache-control": "max-age=31536000, immutable" } : {});
  }

  #about(asked: Asked): unknown {
    return {
      source: this.#view.source.described,
      services: [...this.#view.logs.keys()],
      requestLog: this.#view.requests !== null,
      actions: Object.entries(this.#actions).map(([name, { title, group = "", open = false }]) => ({
        name,
        title,
        group,
        open,
      })),
      mayAct: this.#token.isIn(asked),
    };
  }

  async #post(path: string, request: IncomingMessage, response: ServerResponse, asked: Asked): Promise<void> {
    if (isForeign(asked)) return answerError(response, 403, "forbidden", "another site has sent this");
    const body = await bodyOf(request);
    if (path === "/login") {
      if (!this.#token.fits(body)) return answerError(response, 401, "token_required", "this is not the token");
      const cookie = `${COOKIE}=${this.#token.cookie}; Path=${PREFIX}; HttpOnly; SameSite=Strict`;
      return answer(response, 204, "text/plain", "", { "set-cookie": cookie });
    }
    const [, kind, name = ""] = path.split("/");
    const action = kind === "do" && Object.hasOwn(this.#actions, name) ? this.#actions[name] : undefined;
    if (action === undefined) return answerError(response, 404, "not_found", `there is no ${path}`);
    if (!this.#token.isIn(asked) && !(action.open === true && isLocal(asked)))
      return answerError(response, 401, "token_required", "the console's token is needed for this");
    answerJson(response, 200, { done: await action.run(body) });
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new BadRequestError(`"${part}" is not encoded as a part of a URL is`);
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) {
    body += String(chunk);
    if (body.length > LARGEST_BODY) throw new BadRequestError(`a body has at most ${LARGEST_BODY} bytes`);
  }
  return body;
}
