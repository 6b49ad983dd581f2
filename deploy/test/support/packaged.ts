/* eslint-disable @typescript-eslint/no-explicit-any -- the template is JSON of CloudFormation's, looked into by path */
/** What `osls package` makes, without an account: the template, and the archives that it refers to. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..", "..", "..");

export interface Resource {
  readonly Type: string;
  readonly Condition?: string;
  readonly DependsOn?: readonly string[];
  readonly DeletionPolicy?: string;
  readonly Properties: any;
}

export interface Package {
  readonly folder: string;
  readonly template: unknown;
  readonly resources: Readonly<Record<string, Resource>>;
}

const folders: string[] = [];

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "package-"));
  folders.push(folder);
  return folder;
}

export function removeTemporaryFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** Without any credentials, and without what another shop has left in the environment. */
export function packaged(parameters: Readonly<Record<string, string>>, stage = "aws"): Package {
  const folder = temporaryFolder();
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(AWS_|SHOP_|REDIS_|npm_|NODE_OPTIONS$)/.test(name)),
  );
  const params = Object.entries(parameters).map(([name, value]) => `--param=${name}=${value}`);
  execFileSync(
    process.execPath,
    [
      join(ROOT, "node_modules", "serverless", "bin", "serverless.js"),
      "package",
      "--stage",
      stage,
      "--package",
      folder,
      ...params,
    ],
    {
      cwd: ROOT,
      env: {
        ...env,
        HOME: folder,
        ESBUILD_WORK_FOLDER: join(".esbuild", `test-${process.pid}`),
        SLS_TELEMETRY_DISABLED: "1",
      },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  rmSync(join(ROOT, ".esbuild", `test-${process.pid}`), { recursive: true, force: true });
  const template = JSON.parse(readFileSync(join(folder, "cloudformation-template-update-stack.json"), "utf8")) as {
    Resources: Record<string, Resource>;
  };
  return { folder, template, resources: template.Resources };
}

export const ofType = ({ resources }: Package, type: string): [string, Resource][] =>
  Object.entries(resources).filter(([, { Type }]) => Type === type);
export const functions = (made: Package): [string, Resource][] => ofType(made, "AWS::Lambda::Function");
export const names = (archive: string): string[] =>
  python("print('\\n'.join(zipfile.ZipFile(sys.argv[1]).namelist()))", archive).trim().split("\n");
export const content = (archive: string, name: string): string =>
  python("sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))", archive, name);
const python = (script: string, ...args: string[]): string =>
  execFileSync("python3", ["-c", `import sys, zipfile; ${script}`, ...args]).toString();
export const extract = (archive: string, folder: string): string =>
  python("zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])", archive, folder);
export const serviceOf = (functionName: string): string => functionName.split("-")[2] ?? "";
