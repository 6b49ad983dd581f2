/** Restores the log in folder ARGV[2] into Redis ARGV[1] and prints by how many bytes the resident size grew at most. */
import { LoggedRedis, openFileStore } from "../../src/index.ts";

const [url, folder] = process.argv.slice(2) as [string, string];
const state = new LoggedRedis({ url, store: await openFileStore({ folder }) });
const base = process.memoryUsage.rss();
let highest = base;
const timer = setInterval(() => (highest = Math.max(highest, process.memoryUsage.rss())), 5);
await state.ready({ timeout: 60_000 });
clearInterval(timer);
console.log(Math.max(highest, process.memoryUsage.rss()) - base);
process.exit(0);
