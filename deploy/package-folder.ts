/** What `osls package --stage aws` makes, unpacked as a Lambda has it. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { osls } from "./osls.ts";

const LAYERS = ["redis-occ", "log-replay"];

export interface Packed {
  /** Name and bytes of each archive. */
  readonly archives: readonly { readonly name: string; readonly bytes: number; readonly layer: boolean }[];
  /** A folder with the function's code, and the layers beside it. @param name `order-checkout` */
  unpack(name: string): string;
  remove(): void;
}

/** @param options of the framework: `--param=NAME=VALUE` */
export async function packed(options: readonly string[] = []): Promise<Packed> {
  const folder = mkdtempSync(join(tmpdir(), "packed-"));
  await osls(["package", "--stage", "aws", "--package", folder, ...options]);
  const archives = readdirSync(folder)
    .filter((name) => name.endsWith(".zip"))
    .map((file) => {
      const name = file.slice(0, -".zip".length);
      return { name, bytes: statSync(join(folder, file)).size, layer: LAYERS.includes(name) };
    });
  const extract = (name: string, target: string): void => {
    mkdirSync(target, { recursive: true });
    execFileSync("python3", ["-m", "zipfile", "-e", join(folder, `${name}.zip`), target]);
  };
  return {
    archives,
    unpack(name) {
      const task = join(folder, "task", name);
      extract(name, task);
      // As /opt/nodejs/node_modules is for a Lambda: found from the function's own folder.
      const modules = join(folder, "task", "node_modules");
      for (const layer of LAYERS) {
        extract(layer, join(folder, layer));
        rmSync(join(modules, layer), { recursive: true, force: true });
        mkdirSync(modules, { recursive: true });
        execFileSync("cp", ["-r", join(folder, layer, "nodejs", "node_modules", layer), modules]);
      }
      return task;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
