/** Appends frames of 3,000 bytes in the store of folder ARGV[1] until one fails, and names the error. */
import { openFileStore } from "../../src/index.ts";

const store = await openFileStore({ folder: process.argv[2] ?? "" });
const segment = store.createSegment(1);
try {
  for (let i = 0; i < 100; i++) await segment.append(Buffer.alloc(3_000, "x"));
  console.log("never failed");
} catch (error) {
  console.log((error as Error).name);
}
