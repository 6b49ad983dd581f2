import type { Command, Connection, Reply } from "redis-occ";
import { ReplicaError } from "../errors.ts";
import type { Dataset } from "../protocol.ts";

/** Asks a server what its data are. It may stand in a MULTI. */
export const ASK_DATASET: Command = ["info", "replication"];

const NO_HISTORY = "0".repeat(40);

/** Connections over which a primary has answered. */
const primaries = new WeakSet<Connection>();

/**
 * The reply to `ASK_DATASET`. Where the server is a replica the connection is given up.
 * @throws ConnectionLostError where it was a primary before, which has to be looked for; ReplicaError where the address leads to
 *   a replica
 */
export function readDataset(reply: Reply | Error | undefined, connection: Connection): Dataset {
  const info = String(reply);
  if (valueOf(info, "role") !== "master") {
    const lost = connection.lose("the server is a replica by now");
    throw primaries.has(connection) ? lost : replicaOf(valueOf(info, "master_host"), valueOf(info, "master_port"));
  }
  primaries.add(connection);
  return {
    runId: connection.runId,
    replid: valueOf(info, "master_replid"),
    inherited: valueOf(info, "master_replid2") !== NO_HISTORY,
  };
}

export function replicaOf(host: string, port: string): ReplicaError {
  return new ReplicaError(`this Redis is a replica of ${host}:${port}: name the primary`);
}

/** By hand: the text is long, and it is read for every group. */
function valueOf(info: string, name: string): string {
  const start = info.indexOf(`\n${name}:`) + name.length + 2;
  return info.slice(start, info.indexOf("\r", start));
}
