/**
 * In docker-compose.yml: deploys the shop into LocalStack and then serves its routes on port 8000, without the gateway's id
 * and stage in their paths. It is healthy once that is done. Where LocalStack is restarted it deploys again.
 */
import { createServer } from "node:http";
import { SERVICES } from "../host/configuration.ts";
import { forwarder } from "./gateway/forwarder.ts";
import { KeptStage } from "./gateway/kept-stage.ts";
import { emulatorEnvironment } from "./stage-local.ts";

const { SHOP_ENDPOINT: endpoint = "http://localstack:4566", PORT = "8000" } = process.env;

process.on("SIGTERM", () => process.exit(0));
const names = SERVICES.map((service) => `REDIS_URL_${service.toUpperCase()}`);
const redisUrls = Object.fromEntries(names.map((name) => [name, process.env[name] ?? ""]));
const stage = new KeptStage(endpoint, { ...emulatorEnvironment(endpoint), ...redisUrls });
createServer(forwarder(() => stage.base)).listen(Number(PORT));
try {
  process.stdout.write(`ready: ${(await stage.deploy()).url}\n`);
} catch (error) {
  // The container is started again.
  process.stderr.write(`error: ${(error as Error).message}\n`);
  process.exit(1);
}
await stage.keep((line) => process.stdout.write(`${line}\n`));
