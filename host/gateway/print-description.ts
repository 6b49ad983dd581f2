/** `node print-description.ts ROOT STAGE`: what serverless.yml says of the functions, as JSON. */
import { readDescription } from "./description.ts";

const [, , root = ".", stage = "offline"] = process.argv;
process.stdout.write(JSON.stringify(await readDescription(root, stage)));
