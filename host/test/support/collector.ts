import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { SERVICES } from "../../../functions/settings/services.ts";

export interface Exported {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly attributes?: readonly Attribute[];
  /** The process that made it. */
  readonly pid: number;
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: number };
}

/** Whether a span names one of the shop's services. */
export function isOfService({ attributes = [] }: Exported): boolean {
  const service = attributes.find(({ key }) => key === "shop.service")?.value.stringValue;
  return SERVICES.some((name) => name === service);
}

/** A collector that keeps what it gets: OTLP over HTTP, in JSON. */
export class Collector {
  readonly spans: Exported[] = [];
  /** Of the last request. */
  headers: IncomingHttpHeaders = {};
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      this.headers = request.headers;
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        this.#take(JSON.parse(Buffer.concat(chunks).toString()) as Body);
        response.writeHead(200, { "content-type": "application/json" }).end("{}");
      });
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  of(traceId: string): Exported[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  #take({ resourceSpans }: Body): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const pid = Number(resource.attributes.find(({ key }) => key === "process.pid")?.value.intValue);
      for (const { spans } of scopeSpans) this.spans.push(...spans.map((span) => ({ ...span, pid })));
    }
  }
}

interface Body {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly Exported[] }[];
  }[];
}
