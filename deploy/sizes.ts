/** `npm run sizes`: kilobytes of each function's archive and of the layers'. */
import { packed } from "./package-folder.ts";

const made = await packed();
for (const { name, bytes, layer } of made.archives)
  process.stdout.write(`${(bytes / 1_000).toFixed(1).padStart(7)} kB  ${layer ? "layer " : ""}${name}\n`);
made.remove();
