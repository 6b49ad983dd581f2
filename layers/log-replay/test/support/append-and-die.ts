/** Appends the frame of argument 3 to a segment of its own in epoch ARGV[2] of the store in folder ARGV[1], and is killed. */
import { openFileStore } from "../../src/index.ts";

const [folder, epoch, frame] = process.argv.slice(2) as [string, string, string];
const store = await openFileStore({ folder });
await store.createSegment(Number(epoch)).append(Buffer.from(frame, "base64"));
process.kill(process.pid, "SIGKILL");
