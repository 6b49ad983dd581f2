/** `npx shoplog`: the logs of the shop, for people and programs. docs/tools.md has the commands. */
import { CommanderError } from "commander";
import { explain, EXIT } from "./exit.ts";
import { program } from "./program.ts";

// The reader has seen enough, as in `shoplog show | head`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(EXIT.ok);
});

try {
  await program().parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.failed;
  else {
    process.stderr.write(`error: ${explain(error)}\n`);
    process.exitCode = EXIT.failed;
  }
}
