import type { Narrator } from "./narrator.ts";

const PATIENCE = 60_000;

/** Sends requests and tells what came back. */
export class Customer {
  readonly #url: string;
  readonly #narrator: Narrator;

  constructor(url: string, narrator: Narrator) {
    this.#url = url;
    this.#narrator = narrator;
  }

  /** @param meanwhile what happens after the request was sent and before its answer is told */
  async post(path: string, meanwhile?: () => Promise<void>): Promise<void> {
    const answer = this.#ask("POST", path);
    await meanwhile?.();
    await this.#narrator.exchange(`POST ${path}`, await answer);
  }

  /** An id or an amount from the answer to a request that the story does not tell. */
  async created(path: string, member: string): Promise<string> {
    const response = await fetch(this.#url + path, { method: "POST" });
    if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
    return String(((await response.json()) as Record<string, unknown>)[member]);
  }

  /** Asks as often as it takes: a service that restores itself says 503. */
  async found<T>(path: string): Promise<T> {
    for (const end = Date.now() + PATIENCE; ; await this.#narrator.pause(50)) {
      const response = await fetch(this.#url + path).catch(() => null);
      if (response?.ok) return (await response.json()) as T;
      if (Date.now() > end) throw new Error(`${path} was not answered within ${PATIENCE} ms`);
    }
  }

  async #ask(method: string, path: string): Promise<string> {
    try {
      const response = await fetch(this.#url + path, { method });
      return `${response.status} ${await response.text()}`;
    } catch {
      return "no answer";
    }
  }
}
