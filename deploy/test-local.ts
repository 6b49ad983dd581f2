/**
 * `npm run test:local`: deploys the shop to an emulator (EMULATOR), runs the HTTP suite against it, removes it. Its exit code is
 * that of the tests, or 1 where the stack could not be removed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "../host/ports.ts";
import { emulatorNamed } from "./emulator/emulator.ts";
import { LocalShop } from "./local-shop.ts";

const ROOT = join(import.meta.dirname, "..");

const emulator = emulatorNamed();
// For the tests of CORS.
process.env["CORS_ORIGINS"] ??= "https://shop.example,http://localhost:3000";
const dataDir = mkdtempSync(join(tmpdir(), "shop-deployed-"));
const [port = 0] = await freePorts(1);
const shop = new LocalShop(emulator, dataDir, port);
let jest: ChildProcess | undefined;
/** Milliseconds between two looks at what the emulator and its functions listen on. */
const LOOK_MS = 2_000;
let seen: Error | undefined;
const look = (): void => {
  try {
    shop.assertForThisMachineAlone();
  } catch (error) {
    seen ??= error as Error;
  }
};
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    jest?.kill("SIGKILL"); // it would wait for answers of a shop that is gone
    void shop.stop().then(() => process.exit(1));
  });
try {
  const url = await shop.start();
  process.stdout.write(`deployed: ${url}\n`);
  const looking = setInterval(look, LOOK_MS);
  process.exitCode = await test({ SHOP_DEPLOYED: url, SHOP_DATA_DIR: dataDir, S3_ENDPOINT: new URL(url).origin });
  clearInterval(looking);
  look();
  if (seen !== undefined) throw seen;
} catch (error) {
  process.stderr.write(`error: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
if (!(await shop.stop())) process.exitCode ||= 1;
rmSync(dataDir, { recursive: true, force: true });

async function test(environment: Record<string, string>): Promise<number> {
  const started = spawn(
    process.execPath,
    [
      "--experimental-vm-modules",
      join(ROOT, "node_modules", "jest", "bin", "jest.js"),
      "--maxWorkers=1",
      // A test that failed because its time was over goes on asking, and nobody would remove the stack.
      "--forceExit",
      ...process.argv.slice(2),
    ],
    {
      cwd: ROOT,
      env: { ...process.env, ...environment },
      stdio: "inherit",
    },
  );
  jest = started;
  return new Promise((done) => started.once("close", (code) => done(code ?? 1)));
}
