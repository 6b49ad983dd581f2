import { SERVICES } from "../../functions/settings/services.ts";

/** What a running host says of itself, of what no log tells. */
export interface ShopState {
  /** Whether it answers. */
  readonly up: boolean;
  readonly active: number | null;
  readonly queued: number | null;
  /** By service, since the last look: means over a few seconds. Null where there was nothing, or no host to ask. */
  readonly services: Readonly<
    Record<
      string,
      { readonly groupSize: number | null; readonly appendMs: number | null; readonly restores: number | null }
    >
  >;
  /** Milliseconds; the 99th of a hundred. */
  readonly loopDelay: number | null;
}

export const NOTHING: ShopState = { up: false, active: null, queued: null, services: {}, loopDelay: null };
const TIMEOUT = 1_000;

/** Asks a host of the shop for its metrics. */
export class ShopProbe {
  readonly #url: string | null;
  #last = new Map<string, number>();

  /** @param url of the host; null where there is none */
  constructor(url: string | null) {
    this.#url = url;
  }

  get url(): string | null {
    return this.#url;
  }

  /** Never rejects. */
  async look(): Promise<ShopState> {
    if (this.#url === null) return NOTHING;
    try {
      const response = await fetch(`${this.#url}/metrics`, { signal: AbortSignal.timeout(TIMEOUT) });
      if (!response.ok) return { ...NOTHING, up: true };
      return this.#read(parseMetrics(await response.text()));
    } catch {
      return NOTHING;
    }
  }

  #read(metrics: ReadonlyMap<string, number>): ShopState {
    const last = this.#last;
    this.#last = new Map(metrics);
    const mean = (name: string, service: string): number | null => {
      const [sum, count] = [`${name}_sum{service="${service}"}`, `${name}_count{service="${service}"}`];
      const events = (metrics.get(count) ?? 0) - (last.get(count) ?? 0);
      return events > 0 ? ((metrics.get(sum) ?? 0) - (last.get(sum) ?? 0)) / events : null;
    };
    const services = SERVICES.map((service) => {
      const append = mean("shop_append_seconds", service);
      return [
        service,
        {
          groupSize: mean("shop_group_transactions", service),
          appendMs: append === null ? null : append * 1_000,
          restores: metrics.get(`shop_restores_total{service="${service}"}`) ?? null,
        },
      ] as const;
    });
    const delay = metrics.get("nodejs_eventloop_lag_p99_seconds");
    return {
      up: true,
      active: metrics.get("shop_requests_active") ?? null,
      queued: metrics.get("shop_requests_queued") ?? null,
      services: Object.fromEntries(services),
      loopDelay: delay === undefined ? null : delay * 1_000,
    };
  }
}

/** Samples by name and labels, as they are written. */
function parseMetrics(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [, name, value] = /^([a-z_0-9]+(?:\{[^}]*\})?) (\S+)$/i.exec(line) ?? [];
    if (name !== undefined) samples.set(name, Number(value));
  }
  return samples;
}
