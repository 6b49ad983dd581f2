import type { Redis } from "ioredis";
import { bounded, checkSource, clientOf, keepNobody, type ConnectionSource } from "./connection.ts";
import {
  asOccError,
  ClosedError,
  ConnectionLostError,
  isServerReply,
  OutcomeUnknownError,
  type OccError,
} from "./errors.ts";
import { checkDuration, checkFunction, checkNames, checkText } from "./options.ts";

/**
 * Where Redis is, what the channel is called, and who hears of it.
 *
 * @example
 * const options: ChannelOptions = { url, name: "sold", onMessage: (seat) => look(seat) };
 */
export type ChannelOptions = ConnectionSource & ChannelSettings;

/**
 * All but where Redis is.
 *
 * @example
 * const settings: ChannelSettings = { name: "sold", onMessage: (seat) => look(seat), roundTripTimeout: 500 };
 */
export interface ChannelSettings {
  /** The same in all databases of a server, and whatever `keyPrefix` there is. */
  readonly name: string;
  /** Milliseconds for opening a connection, and for each round trip. Default 2,000. */
  readonly roundTripTimeout?: number;
  readonly onMessage: (text: string) => void;
}

const KNOWN = new Set(["url", "redis", "connect", "name", "roundTripTimeout", "onMessage"]);

/** @throws TypeError */
function validate(options: ChannelOptions): void {
  checkNames("options", options, KNOWN);
  checkSource(options);
  const { name, onMessage, roundTripTimeout = 1 } = options;
  if (typeof name !== "string" || name === "") throw new TypeError("name must be a text");
  checkText(name);
  checkFunction("onMessage", onMessage);
  checkDuration("roundTripTimeout", roundTripTimeout);
}

/**
 * News between processes, by PUBLISH and SUBSCRIBE: at most once, to whoever listens at that moment, and lost with a
 * connection. So it may only say that there is something to look at, never what is true. Whoever waits for news calls `listen`
 * before each look: it costs nothing while the connection lives, and opens another one where it is gone.
 *
 * It has two connections of its own, one for each direction, opened when they are needed. They keep no process alive.
 *
 * @example
 * const channel = new Channel({ url, name: "sold", onMessage: (seat) => look(seat) });
 * await channel.listen(); // from here on nothing is missed while the connection lives
 * await channel.publish("12B");
 */
export class Channel {
  readonly #source: ConnectionSource;
  readonly #name: string;
  readonly #timeout: number;
  readonly #onMessage: (text: string) => void;
  #publisher: Promise<Redis> | undefined;
  #subscriber: Promise<Redis> | undefined;
  #listening: Promise<void> | undefined;
  #closed = false;
  /** Why the newest connection broke, where ioredis knows more than who waits for a reply: a wrong password. */
  #reason: unknown;

  /** @throws TypeError for an option that does not exist or makes no sense */
  constructor(options: ChannelOptions) {
    validate(options);
    const { name, onMessage, roundTripTimeout = 2_000, ...source } = options;
    this.#source = source;
    this.#name = name;
    this.#timeout = roundTripTimeout;
    this.#onMessage = onMessage;
  }

  /** Resolves once messages come in; at once where they do already. @throws OccError */
  listen(): Promise<void> {
    this.#listening ??= this.#subscribe().catch((error: unknown) => {
      this.#listening = undefined;
      throw this.#explained(error);
    });
    return this.#listening;
  }

  /** Messages need not come in any more; the connection stays, for the next `listen`. */
  rest(): void {
    const listening = this.#listening;
    this.#listening = undefined;
    const leave = async (): Promise<void> => {
      await listening;
      if (this.#listening === undefined) await (await this.#subscriber)?.unsubscribe(this.#name);
    };
    // A connection that is gone has nobody who listens.
    leave().catch(() => undefined);
  }

  /** Resolves once the server has it. @throws OccError; an OutcomeUnknownError where its answer is lost: others may have heard it */
  async publish(text: string): Promise<void> {
    let isSent = false;
    try {
      this.#assertOpen();
      this.#publisher ??= this.#open(() => (this.#publisher = undefined));
      const redis = await this.#publisher;
      isSent = true;
      await bounded(redis, this.#timeout, redis.publish(this.#name, text));
    } catch (error) {
      const known = this.#explained(error);
      if (isSent && known instanceof ConnectionLostError)
        throw new OutcomeUnknownError(known.message, { cause: known });
      throw known;
    }
  }

  /** Closes both connections: calls that are under way end with an error, later ones with a ClosedError. */
  close(): void {
    this.#closed = true;
    this.#listening = undefined;
    for (const connection of [this.#publisher, this.#subscriber])
      connection?.then(
        (redis) => redis.disconnect(),
        () => undefined,
      );
  }

  #explained(error: unknown): OccError {
    if (error instanceof ClosedError) return error;
    return asOccError(this.#reason !== undefined && !isServerReply(error) ? this.#reason : error);
  }

  #assertOpen(): void {
    if (this.#closed) throw new ClosedError();
  }

  async #subscribe(): Promise<void> {
    this.#assertOpen();
    this.#subscriber ??= this.#open(() => {
      this.#subscriber = undefined;
      this.#listening = undefined;
    }).then((redis) => redis.on("message", (_name, text) => this.#onMessage(text)));
    const redis = await this.#subscriber;
    await bounded(redis, this.#timeout, redis.subscribe(this.#name));
  }

  /** One that never reconnects by itself: whoever needs it next opens another. */
  async #open(onClose: () => void): Promise<Redis> {
    try {
      this.#reason = undefined;
      const { redis } = await clientOf(this.#source, this.#timeout);
      redis.options.db = 0;
      redis.on("error", (error) => (this.#reason = error));
      redis.once("close", onClose);
      await bounded(redis, this.#timeout, redis.connect());
      keepNobody(redis);
      return redis;
    } catch (error) {
      onClose();
      throw error;
    }
  }
}
