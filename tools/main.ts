/** `npx shoplog`: the logs of the shop, for people and programs. docs/tools.md has the commands. */
import { runProgram } from "log-replay/cli";
import { shoplog } from "./program.ts";

await runProgram(shoplog);
