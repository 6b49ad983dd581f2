import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** A command on its way to Redis, stopped at the proxy together with all that its client sends after it. */
export interface Held {
  /**
   * Hands it to Redis, even if the client has gone. Resolves with what Redis answers, which the client does not get.
   */
  deliver(): Promise<string>;
  /** Lets it pass, and the answer too, as if there were no proxy. */
  pass(): void;
  /** Cuts the connection on both sides. What was not delivered never arrives. */
  cut(): void;
}

type Trap = (held: Held) => void;

/** A TCP proxy before a real Redis, which stops, loses and delays what passes at exact points. */
export class Proxy {
  /** How often the direction turned from answers to requests: the round trips of a client that is alone. */
  roundTrips = 0;
  /** How many of the connections that were swallowed have been asked for something since. */
  askedInVain = 0;
  readonly url: string;
  readonly #server: Server;
  #target: number;
  readonly #links = new Set<Link>();
  readonly #traps: { readonly bytes: string; readonly trap: Trap; readonly once: boolean }[] = [];

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
    this.url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("connection", (client) => {
      const link = new Link(client, connect(this.#target, "127.0.0.1"), {
        match: (bytes) => this.#match(bytes),
        turned: () => this.roundTrips++,
        askedInVain: () => this.askedInVain++,
        ended: () => this.#links.delete(link),
      });
      this.#links.add(link);
    });
  }

  /** @param target the port of Redis */
  static async start(target: number): Promise<Proxy> {
    const server = createServer({ noDelay: true }).listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Proxy(server, target);
  }

  /** Stops the next command of this name, from any client. */
  catchNext(command: string): Promise<Held> {
    return new Promise((resolve) => {
      this.#traps.push({ bytes: wireForm(command), trap: resolve, once: true });
    });
  }

  /** Every command of this name from now on goes to `trap`. */
  catchAll(command: string, trap: Trap): void {
    this.#traps.push({ bytes: wireForm(command), trap, once: false });
  }

  /** From now on everything passes. What is held stays held. */
  catchNone(): void {
    this.#traps.length = 0;
  }

  /** Leads new connections to another port; those that are there stay as they are. */
  lead(target: number): void {
    this.#target = target;
  }

  /** From now on nothing passes on the connections that are there, and nobody is told. @returns how many these are */
  swallow(): number {
    for (const link of this.#links) link.swallow();
    return this.#links.size;
  }

  /** Breaks the connections that are there. */
  cut(): void {
    for (const link of this.#links) link.cut();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #match(bytes: string): Trap | undefined {
    const i = this.#traps.findIndex((candidate) => bytes.includes(candidate.bytes));
    const found = this.#traps[i];
    if (found?.once === true) this.#traps.splice(i, 1);
    return found?.trap;
  }
}

interface LinkEvents {
  match(bytes: string): Trap | undefined;
  turned(): void;
  askedInVain(): void;
  ended(): void;
}

/** One client's connection and the one to Redis that belongs to it. */
class Link implements Held {
  readonly #client: Socket;
  readonly #redis: Socket;
  #held: Buffer[] | undefined;
  #answers: ((answer: Buffer) => void) | undefined;
  #answering = true;
  #swallowed: "not asked" | "asked" | undefined;

  constructor(client: Socket, redis: Socket, events: LinkEvents) {
    this.#client = client;
    this.#redis = redis;
    redis.setNoDelay(true);
    client.on("error", () => undefined);
    redis.on("error", () => undefined);
    client.on("data", (bytes) => {
      if (this.#swallowed === "not asked") {
        this.#swallowed = "asked";
        events.askedInVain();
      }
      if (this.#answering) events.turned();
      this.#answering = false;
      if (this.#held !== undefined) return void this.#held.push(bytes);
      const trap = events.match(bytes.toString("latin1"));
      if (trap === undefined) return void redis.write(bytes);
      this.#held = [bytes];
      trap(this);
    });
    redis.on("data", (bytes) => {
      this.#answering = true;
      if (this.#answers !== undefined) this.#answers(bytes);
      else client.write(bytes);
    });
    client.on("close", () => {
      // Bytes that are held may still be delivered: Redis must not learn that their client has gone.
      if (this.#held === undefined) redis.destroy();
    });
    redis.on("close", () => {
      client.destroy();
      events.ended();
    });
  }

  deliver(): Promise<string> {
    return new Promise((resolve) => {
      this.#answers = (answer) => resolve(answer.toString("latin1"));
      this.#flush();
    });
  }

  pass(): void {
    this.#flush();
  }

  swallow(): void {
    this.#swallowed ??= "not asked";
    this.#held ??= [];
    this.#answers = () => undefined;
  }

  cut(): void {
    this.#client.destroy();
    this.#redis.destroy();
  }

  #flush(): void {
    for (const bytes of this.#held ?? []) this.#redis.write(bytes);
    this.#held = undefined;
  }
}

/** How ioredis writes the name of a command. */
function wireForm(command: string): string {
  return `$${command.length}\r\n${command}\r\n`;
}
