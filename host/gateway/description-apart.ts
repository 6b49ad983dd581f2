import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ServiceDescription } from "./description.ts";

/**
 * `readDescription` in a process of its own: what it loads of the framework is needed only once, and would keep 18 MB
 * of a host's memory for good.
 * @throws Error with what that process says
 */
export async function readDescriptionApart(root: string, stage: string): Promise<ServiceDescription> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    join(import.meta.dirname, "print-description.ts"),
    root,
    stage,
  ]);
  return JSON.parse(stdout) as ServiceDescription;
}
