/** The table of metrics in docs/operate.md. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface PromisedMetric {
  readonly name: string;
  readonly labels: readonly string[];
  /** The name in CloudWatch, or why there is none. */
  readonly embedded: string;
}

export function promisedMetrics(): PromisedMetric[] {
  const text = readFileSync(join(import.meta.dirname, "..", "..", "docs", "operate.md"), "utf8");
  const rows = text.matchAll(/^\| `(shop_\w+)(?:\{([\w,]+)\})?` \| ([^|]*?) \|/gm);
  return [...rows].map(([, name = "", labels = "", embedded = ""]) => ({
    name,
    labels: labels.split(",").filter(Boolean).sort(),
    embedded,
  }));
}
