/**
 * `npm run pack:layers [folder]`: the layers as the packages that are published, as tarballs in the folder (default `.packages`), looked
 * over by publint and Are The Types Wrong. `npm publish TARBALL` is the rest: CONTRIBUTING.md has the recipe.
 */
import { spawnSync } from "node:child_process";
import { relative, resolve } from "node:path";
import { PACKAGES, packStaged, STAGING, stagePackages } from "./stage.ts";

stagePackages();
const tarballs = packStaged(resolve(process.argv[2] ?? STAGING));
for (const name of PACKAGES) {
  pass("publint", "run", tarballs[name], "--strict");
  // Without `exports` (Node 10) there is only the main entry: nothing that this package runs on looks there.
  pass("attw", tarballs[name], "--profile", "node16", "--format", "ascii");
  process.stdout.write(`${relative(process.cwd(), tarballs[name])}\n`);
}

/** Says what the tool says only where it has found something. */
function pass(tool: string, ...args: string[]): void {
  const { status, stdout, stderr } = spawnSync("npx", ["--no-install", tool, ...args], { encoding: "utf8" });
  if (status === 0) return;
  process.stderr.write(stdout + stderr);
  process.exit(1);
}
