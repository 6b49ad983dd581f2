import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { freeHttpPort } from "../../ports.ts";
import { startShop, type RunningShop } from "../../running-shop.ts";
import { Collector } from "./collector.ts";

/** A real shop under `npm run serve`, and a collector that it sends its traces to. */
export class TracedShop {
  readonly shop: RunningShop;
  readonly collector: Collector;

  private constructor(shop: RunningShop, collector: Collector) {
    this.shop = shop;
    this.collector = collector;
  }

  static async start(environment: Record<string, string>): Promise<TracedShop> {
    const collector = new Collector();
    const endpoint = await collector.listen();
    const shop = await startShop("serve", await freeHttpPort(), {
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_BSP_SCHEDULE_DELAY: "100",
      ...environment,
    });
    return new TracedShop(shop, collector);
  }

  async stop(): Promise<void> {
    await this.shop.stop();
    this.shop.removeData();
    this.collector.close();
  }

  /** @returns the answer where it is an object @throws Error where it is no success */
  async post(path: string, headers: Record<string, string> = {}): Promise<Record<string, string>> {
    const response = await fetch(this.shop.url + path, { method: "POST", headers });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return text.startsWith("{") ? (JSON.parse(text) as Record<string, string>) : {};
  }

  /** Of two items at 5 each, with stock and credit for more. */
  async newOrder(): Promise<string> {
    const { item_id } = await this.post("/stock/item/create/5");
    const { user_id } = await this.post("/payment/create_user");
    await this.post(`/stock/add/${item_id}/10`);
    await this.post(`/payment/add_funds/${user_id}/100`);
    const { order_id } = await this.post(`/orders/create/${user_id}`);
    await this.post(`/orders/addItem/${order_id}/${item_id}/2`);
    return order_id ?? "";
  }

  /** Lines of the request log that have this text in them. */
  linesWith(text: string): Record<string, string>[] {
    return readFileSync(`${this.shop.dataFolder}/run/host.out`, "utf8")
      .split("\n")
      .filter((line) => line.includes(text))
      .map((line) => JSON.parse(line) as Record<string, string>);
  }
}

/** Looks until it throws no more. @param patience milliseconds */
export async function eventually<T>(look: () => T | Promise<T>, patience = 25_000): Promise<T> {
  for (const end = Date.now() + patience; ; await sleep(50)) {
    try {
      return await look();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}
