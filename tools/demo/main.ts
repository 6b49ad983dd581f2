/** `npm run demo`: the story of the project on a shop of its own, which is gone afterwards. */
import { parseArgs } from "node:util";
import { explain, paint, print } from "log-replay/cli";
import { freeHttpPort } from "../../host/ports.ts";
import { onStopSignals } from "../../host/stop-signals.ts";
import { startShop, type RunningShop } from "../../host/running-shop.ts";
import { Narrator } from "./narrator.ts";
import { tellStory } from "./story.ts";

/** Checkouts of a driver that died are free after 3 s instead of 5: the audience waits for that. */
const SETTINGS = {
  SAGA_TIMEOUT_MS: "3000",
  LOG_LEVEL: "warn",
  HOSTS_ONLY: "",
  REDIS_URL_ORDER: "",
  REDIS_URL_STOCK: "",
  REDIS_URL_PAYMENT: "",
  GATEWAY_URL: "",
};

/** Exit code of a shell's command that Ctrl-C has ended. */
const BROKEN_OFF = 130;

const { values } = parseArgs({
  options: {
    fast: { type: "boolean", default: false },
    console: { type: "boolean", default: false },
    port: { type: "string", default: "8080" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  await print("npm run demo [-- --fast]   tells the story of the project on a shop of its own; --fast: without pauses");
  await print(
    "npm run demo -- --console [--port N]   a shop with customers, and a page on which you break it yourself",
  );
  process.exit(0);
}

const end = new AbortController();
onStopSignals(
  () => end.abort(),
  () => process.exit(BROKEN_OFF),
);
let shop: RunningShop | undefined;
try {
  const narrator = new Narrator(values.fast, end.signal);
  await narrator.tell(paint("bold", "Checkouts that survive crashes"));
  await narrator.tell(
    "Three services, each with a Redis and a log of its own. They start now, in a folder of their own.",
  );
  shop = await startShop(values.console ? "serve" : "start", await freeHttpPort(), {
    ...SETTINGS,
    // The console shows what each request came to.
    ...(values.console ? { LOG_LEVEL: "info" } : {}),
  });
  // Empty settings are taken from the data folder.
  Object.assign(process.env, SETTINGS, { DATA_DIR: shop.dataFolder });
  if (values.console) await (await import("./console.ts")).showConsole(shop, Number(values.port), end.signal);
  else await tellStory(shop, narrator);
} catch (error) {
  if (!end.signal.aborted) process.stderr.write(`error: ${explain(error)}\n`);
  process.exitCode = 1;
} finally {
  await shop?.stop();
  shop?.removeData();
}
