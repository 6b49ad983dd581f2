/**
 * Loads whatever `npm run serve` and `npm start` load, and runs none of it, so that Node has all of it in its cache of
 * compiled modules. A process that strips types itself keeps the compiler that does it for as long as it lives: 30 MB
 * each.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { readDescription } from "./gateway/description.ts";
import { importFrom } from "./gateway/local-function.ts";
import "./main.ts";
import "./offline/offline-host.ts";
import "./serve/main.ts";
import "./serve/serve-host.ts";

const ROOT = join(import.meta.dirname, "..");

const { functions } = await readDescription(ROOT, "offline");
await Promise.all(functions.map(importFrom(pathToFileURL(`${ROOT}/`).href, ".ts")));
