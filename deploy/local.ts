/**
 * `npm run deploy:local`: deploys the stage `local` and stays until it is told to end. Where Docker works, to LocalStack as
 * docker-compose.yml has it; else to an emulator that needs none.
 */
import { spawn, spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { numberOf, SettingError } from "../functions/settings/settings.ts";
import { readDescription } from "../host/gateway/description.ts";
import { StartError } from "../host/start-error.ts";
import { onStopSignals } from "../host/stop-signals.ts";
import { emulatorNamed } from "./emulator/emulator.ts";
import { LocalShop } from "./local-shop.ts";

const ROOT = join(import.meta.dirname, "..");
/** Exit code of a shell's command that Ctrl-C has ended. */
const BROKEN_OFF = 130;

if (!process.env["EMULATOR"] && spawnSync("docker", ["info"], { stdio: "ignore" }).status === 0) {
  const compose = spawn("docker", ["compose", "up", "--wait"], { cwd: ROOT, stdio: "inherit" });
  process.exitCode = await new Promise<number>((done) => compose.once("close", (code) => done(code ?? 1)));
  if (process.exitCode === 0)
    await show(`http://127.0.0.1:${numberOf(process.env, "HTTP_PORT")}`, "docker compose down removes it");
} else {
  let shop: LocalShop | undefined;
  const stopped = new Promise<void>((stop) => {
    onStopSignals(stop, () => {
      shop?.killNow();
      process.exit(BROKEN_OFF);
    });
  });
  try {
    const dataDir = resolve(process.env["DATA_DIR"] || ".emulator/data");
    shop = new LocalShop(emulatorNamed(), dataDir, numberOf(process.env, "EMULATOR_PORT"));
    await show(await shop.start(), "Ctrl-C removes it");
    await stopped;
  } catch (error) {
    process.stderr.write(
      `error: ${error instanceof StartError || error instanceof SettingError ? error.message : String((error as Error).stack)}\n`,
    );
    process.exitCode = 1;
  }
  await shop?.stop();
}

async function show(url: string, ending: string): Promise<void> {
  const { functions } = await readDescription(ROOT, "local");
  for (const { method, resource } of functions.flatMap(({ routes }) => routes))
    process.stdout.write(`${method.padEnd(4)} ${url}${resource}\n`);
  process.stdout.write(`ready: ${url}  ${ending}\n`);
}
