import { startShop, type RunningShop } from "../host/running-shop.ts";

/** What is measured: an address, and the shop behind it if the benchmark has started that itself. */
export interface Target {
  readonly name: string;
  readonly url: string;
  readonly own?: RunningShop;
}

/** Ways to start a shop of this project: npm scripts, and what they are told. */
const SHOPS: Readonly<Record<string, { readonly script: string; readonly environment?: Record<string, string> }>> = {
  serve: { script: "serve" },
  events: { script: "serve", environment: { SAGA: "events" } },
  start: { script: "start" },
};

/**
 * `serve`, `events` (serve, with checkouts by events) or `start`: a shop that is started with `npm run` on a data folder
 * of its own. `NAME=URL`: one that runs already, of any implementation of the same routes; its items, users and orders are overwritten.
 *
 * @throws TypeError for anything else
 */
export async function openTarget(text: string, port: number): Promise<Target> {
  const shop = SHOPS[text];
  if (shop !== undefined) {
    const own = await startShop(shop.script, port, shop.environment);
    return { name: text, url: own.url, own };
  }
  const [, name, url] = /^([^=]+)=(https?:\/\/.+?)\/?$/.exec(text) ?? [];
  if (name === undefined || url === undefined)
    throw new TypeError(`a target is ${Object.keys(SHOPS).join(", ")} or NAME=URL, not "${text}"`);
  return { name, url };
}
