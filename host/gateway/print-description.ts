/** `node print-description.ts ROOT STAGE`: what serverless.yml says of the functions, as JSON. */
import { readDescription } from "./description.ts";

const [root, stage] = process.argv.slice(2) as [string, string];
process.stdout.write(JSON.stringify(await readDescription(root, stage)));
