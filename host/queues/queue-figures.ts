/** How much is in a service's queue, for those who watch it: the metrics and the tools. */
import { SqsClient } from "../../functions/events/sqs-client.ts";
import { deadLettersOf, queueAddress } from "../../functions/settings/configuration.ts";
import type { ServiceName } from "../../functions/settings/services.ts";

export interface QueueDepth {
  readonly waiting: number;
  /** Somebody works on them, or they wait for another try. */
  readonly inFlight: number;
  readonly dead: number;
}

/** Milliseconds. */
const TIMEOUT = 1_000;

interface Sent {
  /** Milliseconds since 1970. */
  readonly sentTimestamp: number;
}

/** What the shop's own server shows of a queue. */
interface Page {
  readonly messages: { readonly ready: readonly Sent[]; readonly inflight: readonly { readonly message: Sent }[] };
}

export class QueueFigures {
  readonly url: string;
  readonly deadUrl: string;
  readonly client: SqsClient;
  /** Whether it is the shop's own server on this machine, and none that is paid for each request. */
  readonly isLocal: boolean;

  /** @throws Error where it is not known where the queues are */
  constructor(service: ServiceName) {
    const { url, ...place } = queueAddress(service);
    this.client = new SqsClient(place);
    this.url = url;
    this.isLocal = /^(127\.|\[::1\]$|localhost$)/.test(new URL(url).hostname);
    this.deadUrl = deadLettersOf(url);
  }

  /** @throws UnavailableError */
  async depth(): Promise<QueueDepth> {
    const [own, dead] = await Promise.all([this.#attributes(this.url), this.#attributes(this.deadUrl)]);
    const waiting = Number(own["ApproximateNumberOfMessages"]);
    const inFlight = Number(own["ApproximateNumberOfMessagesNotVisible"]);
    return {
      waiting,
      inFlight,
      dead: Number(dead["ApproximateNumberOfMessages"]) + Number(dead["ApproximateNumberOfMessagesNotVisible"]),
    };
  }

  /**
   * When the oldest message that is not handled was sent, in milliseconds since 1970; null where there is none, undefined
   * where the server does not tell: SQS does by a metric only, the shop's own server by a page. Never rejects.
   */
  async oldest(): Promise<number | null | undefined> {
    const { origin, pathname } = new URL(this.url);
    const name = pathname.split("/").at(-1) ?? "";
    try {
      const answer = await fetch(`${origin}/_fauxqs/queues/${name}`, { signal: AbortSignal.timeout(TIMEOUT) });
      if (!answer.ok) return undefined;
      const { messages } = (await answer.json()) as Page;
      const all = [...messages.ready, ...messages.inflight.map(({ message }) => message)];
      return all.length === 0
        ? null
        : all.reduce((least, { sentTimestamp }) => Math.min(least, sentTimestamp), Infinity);
    } catch {
      return undefined;
    }
  }

  close(): void {
    this.client.close();
  }

  async #attributes(QueueUrl: string): Promise<Record<string, string>> {
    const { Attributes } = await this.client.call<{ Attributes: Record<string, string> }>(
      "GetQueueAttributes",
      { QueueUrl, AttributeNames: ["All"] },
      { timeout: TIMEOUT },
    );
    return Attributes;
  }
}
