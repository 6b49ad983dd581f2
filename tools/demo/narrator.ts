import { setTimeout as sleep } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { brief, paint, print } from "log-replay/cli";

/** Milliseconds to read a character. */
const PACE = 28;

/** Tells the story at a pace at which it can be read. */
export class Narrator {
  readonly #fast: boolean;
  readonly #signal: AbortSignal;

  constructor(fast: boolean, signal: AbortSignal) {
    this.#fast = fast;
    this.#signal = signal;
  }

  async chapter(title: string): Promise<void> {
    await print("");
    await this.#say(paint(["bold", "underline"], title));
    await print("");
  }

  async tell(text: string): Promise<void> {
    await this.#say(text);
  }

  /** What was asked, and what came back. */
  async exchange(request: string, answer: string): Promise<void> {
    await this.#say(brief(`  ${paint("cyan", `> ${request}`)}   ${answer}`));
  }

  /** Something that happens to the shop. */
  async blow(what: string): Promise<void> {
    await this.#say(`  ${paint(["red", "bold"], `✗ ${what}`)}`);
  }

  async show(line: string): Promise<void> {
    await this.#say(`    ${line}`);
  }

  /** Milliseconds; ends the story where it is broken off. */
  async pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#signal });
  }

  async #say(text: string): Promise<void> {
    this.#signal.throwIfAborted();
    await print(text);
    if (!this.#fast)
      await sleep(Math.min(4_000, 300 + PACE * stripVTControlCharacters(text).length), undefined, {
        signal: this.#signal,
      });
  }
}
