import { figures } from "../load/figures.ts";
import type { Scenario } from "../rows.ts";
import { range, Shop } from "../shop.ts";

export const empty: Scenario = {
  name: "empty",
  about: "requests that the handler refuses at once: what the server itself costs",
  async run({ target, load, scale }) {
    const result = await load.run({
      url: target.url,
      method: "POST",
      connections: 50,
      paths: range(10_000 * scale).map(() => "/stock/reserve"),
    });
    const refused = result.statuses.filter((status) => status >= 400 && status < 500).length;
    const measured = figures(result, refused);
    return [
      {
        what: "requests without a signature, 50 connections",
        value: measured.perSecond,
        unit: "/s",
        figures: measured,
      },
    ];
  },
};

export const reads: Scenario = {
  name: "reads",
  about: "GET /stock/find of 1,000 items",
  async run(bench) {
    await new Shop(bench).post("/stock/batch_init/1000/7/5");
    const paths = range(15_000 * bench.scale).map((i) => `/stock/find/${i % 1_000}`);
    const result = await bench.load.run({ url: bench.target.url, method: "GET", connections: 50, paths, bodies: true });
    const right = result.bodies.filter((body, i) => {
      if (result.statuses[i] !== 200) return false;
      const row = JSON.parse(body) as { stock: number; price: number };
      return row.stock === 7 && row.price === 5;
    }).length;
    const measured = figures(result, right);
    return [{ what: "reads, 50 connections", value: measured.perSecond, unit: "/s", figures: measured }];
  },
};

export const adds: Scenario = {
  name: "adds",
  about: "POST /stock/add to one item by everybody: no update may be lost",
  async run(bench) {
    const shop = new Shop(bench);
    await shop.post("/stock/batch_init/1/0/5");
    const paths = range(10_000 * bench.scale).map(() => "/stock/add/0/1");
    const result = await bench.load.run({ url: bench.target.url, method: "POST", connections: 50, paths });
    const answered = result.statuses.filter((status) => status === 200).length;
    const uncertain = result.statuses.filter((status) => status === 0 || status >= 500).length;
    const [row] = await shop.read<{ stock: number }>(["/stock/find/0"]);
    const stock = row?.stock ?? NaN;
    const isTrue = stock >= answered && stock <= answered + uncertain;
    const measured = figures(result, Math.min(answered, stock));
    const found = isTrue ? { note: "none lost" } : { untrue: `${answered} adds were answered 200, ${stock} are there` };
    return [
      { what: "adds to one item, 50 connections", value: measured.perSecond, unit: "/s", figures: measured, ...found },
    ];
  },
};

export const batchInit: Scenario = {
  name: "batch-init",
  about: "POST /orders/batch_init of 100,000 orders",
  async run(bench) {
    const orders = Math.round(100_000 * bench.scale);
    const started = performance.now();
    await new Shop(bench).post(`/orders/batch_init/${orders}/1000/1000/1`);
    return [
      {
        what: `batch_init of ${orders.toLocaleString("en")} orders`,
        value: (performance.now() - started) / 1_000,
        unit: "s",
      },
    ];
  },
};
