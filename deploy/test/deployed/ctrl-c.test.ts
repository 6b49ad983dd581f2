/** One Ctrl-C reaches `npm run deploy:local` twice, from the terminal and from npm: it asks for one orderly end. */
import { expect, test } from "@jest/globals";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { textOrDefault } from "../../../functions/settings/settings.ts";
import { freePorts } from "../../../host/ports.ts";
import { leftWith, Terminal } from "../../../test/support/terminal.ts";

const MINUTE = 60_000;

test(
  "it removes what it has deployed, and leaves no process behind",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "ctrl-c-"));
    const [port = 0] = await freePorts(1);
    const terminal = new Terminal("npm run deploy:local", {
      DATA_DIR: join(folder, "data"),
      EMULATOR: textOrDefault(process.env, "EMULATOR"),
      EMULATOR_PORT: String(port),
    });
    try {
      await terminal.says("ready: ", 3 * MINUTE);
      expect((await fetch(`${/ready: (\S+)/.exec(terminal.said)?.[1] ?? ""}/nowhere`)).status).toBe(404);
      terminal.ctrlC();
      expect(await terminal.ended).toBe(0);
      expect(await leftWith(folder)).toEqual([]);
      expect(terminal.said).not.toContain("while stopping");
    } finally {
      terminal.kill();
      rmSync(folder, { recursive: true, force: true });
    }
  },
  5 * MINUTE,
);
