import type { Command, Connection, Reply } from "redis-occ";
import type { Dataset } from "../protocol.ts";

/** Asks a server what its data are. It may stand in a MULTI. */
export const ASK_DATASET: Command = ["info", "replication"];

const NO_HISTORY = "0".repeat(40);

/** The reply to `ASK_DATASET`. @throws ConnectionLostError where the server is a replica: its primary has to be looked for */
export function readDataset(reply: Reply | Error | undefined, connection: Connection): Dataset {
  const info = String(reply);
  if (valueOf(info, "role") !== "master") throw connection.lose("the server is a replica");
  return {
    runId: connection.runId,
    replid: valueOf(info, "master_replid"),
    inherited: valueOf(info, "master_replid2") !== NO_HISTORY,
  };
}

/** By hand: the text is long, and it is read for every group. */
function valueOf(info: string, name: string): string {
  const start = info.indexOf(`\n${name}:`) + name.length + 2;
  return info.slice(start, info.indexOf("\r", start));
}
