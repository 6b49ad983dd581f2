/** Compacts the store in folder ARGV[1], and is killed at the point that ARGV[2] names. */
import { compact, openFileStore, type LogStore, type Segment } from "../../src/index.ts";
import { tampered } from "./tampered-store.ts";

const [folder, point] = process.argv.slice(2) as [string, string];
const die = (): never => {
  process.kill(process.pid, "SIGKILL");
  throw new Error("still alive");
};
const store = await openFileStore({ folder });
let chunks = 0;
const stops: Record<string, LogStore> = {
  "reads a segment": tampered(store, { afterChunk: () => (++chunks === 3 ? die() : undefined) }),
  "has read all": tampered(store, { beforeInstall: die }),
  "writes the snapshot": {
    ...tampered(store, {}),
    installSnapshot: (at, content) =>
      store.installSnapshot(
        at,
        (async function* () {
          for await (const bytes of content) {
            yield bytes.subarray(0, bytes.length / 2);
            die();
          }
        })(),
      ),
  },
  "has installed it": tampered(store, { afterInstall: die }),
  "has removed the older one": tampered(store, { beforeArchive: die }),
  "has archived one segment": {
    ...tampered(store, {}),
    archive: async (segments: readonly Segment[]) => {
      await store.archive(segments.slice(0, 1));
      die();
    },
  },
};
await compact(stops[point] as LogStore);
console.log("not killed");
