/** `npm run sizes [-- --param=NAME=VALUE…]`: kilobytes of each function's archive and of the layers', deployed so. */
import { packed } from "./package-folder.ts";

const made = await packed(process.argv.slice(2));
for (const { name, bytes, layer } of made.archives)
  process.stdout.write(`${(bytes / 1_000).toFixed(1).padStart(7)} kB  ${layer ? "layer " : ""}${name}\n`);
made.remove();
