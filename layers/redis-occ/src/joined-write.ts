import type { Redis } from "ioredis";

/** Characters of a string that leaves by itself. */
const LONG = 65_536;

/**
 * What ioredis writes commands to, in place of the connection's stream: short ones leave as one string. The stream's own way of
 * putting a write together out of many costs more than all else of a short command.
 */
export class JoinedWrite {
  readonly #stream: Redis["stream"];
  #text = "";

  constructor(stream: Redis["stream"]) {
    this.#stream = stream;
  }

  /** @param chunk a command in Redis's protocol */
  write(chunk: string | Buffer): void {
    const joins = typeof chunk === "string" && chunk.length <= LONG;
    // Whatever was there before it leaves before it.
    if (!joins || this.#text.length + chunk.length > LONG) this.end();
    if (joins) this.#text += chunk;
    else this.#stream.write(chunk);
  }

  /** Called after the last command. */
  end(): void {
    if (this.#text === "") return;
    this.#stream.write(this.#text);
    this.#text = "";
  }
}
