/**
 * A queue server of the shop's own, in a process of its own: as much of SQS as the functions use, in memory. What it holds
 * is lost with it, and sent again from the sagas' records.
 *
 *   node host/queues/queue-server.ts PORT    # on loopback
 */
import { buildApp } from "fauxqs";
import { queueRegion } from "../../functions/settings/configuration.ts";
import { createQueues } from "./create-queues.ts";

const HOST = "127.0.0.1";
const port = Number(process.argv[2]);

const server = buildApp({ logger: false });
await server.listen({ port, host: HOST });
await createQueues({ endpoint: `http://${HOST}:${port}`, region: queueRegion() });
process.once("SIGTERM", () => process.exit(0));
process.send?.({ serving: true });
