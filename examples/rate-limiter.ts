/** A token bucket, on redis-occ: `burst` calls at once, and `perSecond` in the long run, over all servers together. */
import type { Occ } from "redis-occ";

interface Bucket {
  readonly tokens: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** @returns whether the caller may go on. A bucket that is full again is forgotten by Redis itself. */
export function allow(occ: Occ, caller: string, { burst, perSecond }: Rate, now = Date.now()): Promise<boolean> {
  const key = `rate:${caller}`;
  return occ.transact([key], (view) => {
    const { tokens, at } = view.get<Bucket>(key) ?? { tokens: burst, at: now };
    const filled = Math.min(burst, tokens + (Math.max(0, now - at) / 1_000) * perSecond);
    if (filled < 1) return { result: false };
    const ttl = Math.ceil(((burst - filled + 1) / perSecond) * 1_000);
    return { result: true, setWithTtl: { [key]: { value: { tokens: filled - 1, at: Math.max(now, at) }, ttl } } };
  });
}
