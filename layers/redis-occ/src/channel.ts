import { Redis } from "ioredis";
import { required } from "./connection.ts";
import { asOccError } from "./errors.ts";

/**
 * What a channel is, and who hears of it.
 *
 * @example
 * const options: ChannelOptions = { url, name: "sold", connectTimeout: 2_000, onMessage: (seat) => console.log(seat) };
 */
export interface ChannelOptions {
  /** `redis://[:password@]host:port[/db]`; channels are the same in all databases of a server. */
  readonly url: string;
  readonly name: string;
  /** Milliseconds for opening a connection. */
  readonly connectTimeout: number;
  readonly onMessage: (text: string) => void;
}

/**
 * News between processes, by PUBLISH and SUBSCRIBE: at most once, to whoever listens at that moment, and lost with a
 * connection. So it may only say that there is something to look at, never what is true.
 *
 * @example
 * const channel = new Channel({ url, name: "sold", connectTimeout: 2_000, onMessage: (seat) => look(seat) });
 * await channel.listen(); // from here on nothing is missed while the connection lives
 * await channel.publish("12B");
 */
export class Channel {
  readonly #options: ChannelOptions;
  #publisher: Promise<Redis> | undefined;
  #subscriber: Promise<Redis> | undefined;
  #listening: Promise<void> | undefined;

  constructor(options: ChannelOptions) {
    this.#options = options;
  }

  /** Resolves once messages come in; at once where they do already. @throws ConnectionLostError, ServerRefusedError */
  listen(): Promise<void> {
    this.#listening ??= this.#subscribe().catch((error: unknown) => {
      this.#listening = undefined;
      throw asOccError(error);
    });
    return this.#listening;
  }

  /** Messages need not come in any more; the connection stays, for the next `listen`. */
  rest(): void {
    const listening = this.#listening;
    this.#listening = undefined;
    const leave = async (): Promise<void> => {
      await listening;
      if (this.#listening === undefined) await (await this.#subscriber)?.unsubscribe(this.#options.name);
    };
    // A connection that is gone has nobody who listens.
    leave().catch(() => undefined);
  }

  /** Resolves once the server has it. @throws ConnectionLostError, ServerRefusedError */
  async publish(text: string): Promise<void> {
    try {
      this.#publisher ??= this.#open(() => (this.#publisher = undefined));
      await (await this.#publisher).publish(this.#options.name, text);
    } catch (error) {
      throw asOccError(error);
    }
  }

  close(): void {
    for (const connection of [this.#publisher, this.#subscriber])
      connection?.then(
        (redis) => redis.disconnect(),
        () => undefined,
      );
  }

  async #subscribe(): Promise<void> {
    this.#subscriber ??= this.#open(() => {
      this.#subscriber = undefined;
      this.#listening = undefined;
    }).then((redis) => redis.on("message", (_name, text) => this.#options.onMessage(text)));
    await (await this.#subscriber).subscribe(this.#options.name);
  }

  /** One that never reconnects by itself: whoever needs it next opens another. */
  async #open(onClose: () => void): Promise<Redis> {
    const { url, connectTimeout } = this.#options;
    const redis = new Redis(url, required(connectTimeout));
    redis.on("error", () => undefined);
    redis.once("close", onClose);
    try {
      await redis.connect();
    } catch (error) {
      onClose();
      throw error;
    }
    return redis;
  }
}
