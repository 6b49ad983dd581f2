import { print, ToolError } from "log-replay/cli";
import { readToken } from "../../console/server/access.ts";
import { Console } from "../../console/server/console.ts";
import { listen } from "../../console/server/listen.ts";
import { openSource, tokenFile } from "../../console/server/source.ts";
import { Queues, redriveOf } from "../../console/server/queues.ts";
import { ShopProbe } from "../../console/server/shop-probe.ts";
import { ShopView } from "../../console/server/shop-view.ts";

export interface ConsoleCommandOptions {
  readonly port: number;
  readonly host: string;
  /** The URL of a running shop, for its metrics. */
  readonly shop?: string;
}

export async function openConsole({ port, host, shop }: ConsoleCommandOptions): Promise<void> {
  if (shop !== undefined && !URL.canParse(shop)) throw new ToolError(`${shop} is not an address`);
  const source = await openSource();
  const queues = Queues.open(source.runFolder);
  const view = new ShopView(source, new ShopProbe(shop?.replace(/\/+$/, "") ?? null), queues);
  const file = tokenFile(source);
  const token = readToken(process.env["CONSOLE_TOKEN"], file);
  const made = new Console({ view, token, actions: redriveOf(queues) });
  const listening = await listen(made, host, port);
  view.start();
  const address = host.includes(":") ? `[${host}]` : host;
  await print(`console of ${source.described}: http://${address}:${listening.port}/console/`);
  if (!/^(127\.|::1$|localhost$)/.test(host))
    await print(`from beyond this machine it asks for the token${file === null ? ` ${token}` : ` in ${file}`}`);
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  listening.close();
  await view.close();
}
