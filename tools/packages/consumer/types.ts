// Compiled against the tarballs' types: as ES module and as CommonJS, with the names of a browser and without.
import { Redis } from "ioredis";
import { createFileStore, LoggedRedis, type LogStore } from "log-replay";
import { command, logCommands, natural, runProgram, type Logs } from "log-replay/cli";
import { storeCases } from "log-replay/conformance";
import { restoreState } from "log-replay/middleware";
import { openS3Store } from "log-replay/s3";
import { verify } from "log-replay/tools";
import { Occ, OccError, retry, type Decide, type OccOptions } from "redis-occ";

const options: OccOptions = { url: "redis://127.0.0.1" };
const occ = new Occ<{ "seat:*": { holder: string }; total: number }>(options);
export const bySentinel = new Occ({
  connect: (settings) => new Redis({ sentinels: [{ host: "sentinel", port: 26379 }], name: "main", ...settings }),
});
const book: Decide<number> = (view) => ({ result: view.get<number>("n") ?? 0, commands: [["incr", "i"]] });

export async function use(store: LogStore, signal: AbortSignal): Promise<number> {
  const [seat, total] = await occ.read(["seat:1", "total"]);
  const holder: string | undefined = seat?.holder;
  const state = new LoggedRedis({ url: "redis://127.0.0.1", store });
  try {
    return (total ?? 0) + (await retry(() => state.occ.transact(["n"], book, { signal }))) + (holder?.length ?? 0);
  } catch (error) {
    if (error instanceof OccError && error.transient) return 0;
    throw error;
  }
}
export async function commands(logs: Logs): Promise<void> {
  const last = command({
    name: "last",
    arguments: "<log>",
    what: "",
    examples: [],
    options: { count: { what: "", argument: "count", parse: natural, usual: 10 }, json: { what: "" } },
    run: async ([log], { count, json }) => void [log satisfies string | undefined, count satisfies number, json],
  });
  await runProgram({ name: "logs", what: "", notes: "", commands: [...Object.values(logCommands(logs)), last] });
}
export const used: unknown[] = [createFileStore, storeCases, restoreState, openS3Store, verify];
