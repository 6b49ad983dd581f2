/** What every command line of `npx log-replay` promises: help, exit codes, one line for what could not be done. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { add, stage } from "../support/stage.ts";
import { dropCommit, oneWriter } from "../tools/support.ts";
import { cli } from "./support.ts";

const on = stage();
const LAYER = join(import.meta.dirname, "..", "..");
const COMMANDS = ["show", "follow", "verify", "repair", "state", "diff", "restore", "compact", "backup", "adopt"];

describe("what cannot be done is said in one line on stderr, with exit code 2", () => {
  test.each([
    [["verify"], "missing required argument 'log'"],
    [["state", "a", "b"], "too many arguments: b"],
    [["backup", "a"], "missing required argument 'folder'"],
    [["backup", "a", ""], "argument 'folder' is empty: was a variable not set?"],
    [["verify", ""], "argument 'log' is empty: was a variable not set?"],
    [["verify", "a", ""], "argument 'log' is empty: was a variable not set?"],
    [["show", "a", "--op", ""], "option '--op <name>' is empty: was a variable not set?"],
    [["diff", "a", "--redis="], "option '--redis <url>' is empty: was a variable not set?"],
    [["show", "a", "--last", "-1"], "option '--last <count>': a whole number is needed"],
    [["show", "a", "--last=-1"], "option '--last <count>': a whole number is needed"],
    [
      ["show", "a", "--key", "--json"],
      "option '--key <key>' has no value; one that begins with a dash is written --key=VALUE",
    ],
    [
      ["restore", "a", "--at", "2999-01-01"],
      "--at 2999-01-01T00:00:00.000Z is in the future: name a commit, or a time that is over",
    ],
    [["shov"], "unknown command 'shov': log-replay --help lists them"],
    [["help", "shov"], "unknown command 'shov': log-replay --help lists them"],
    [["show", "a", "--sinc", "3"], "Unknown option '--sinc'"],
    [["show", "a", "--since"], "Option '--since <value>' argument missing"],
    [["show", "a", "--last", "many"], "option '--last <count>': a whole number is needed"],
    [["state", "a", "--at", "2026-02-30"], "option '--at <moment>': there is no such time as \"2026-02-30\""],
    [["diff", "a"], "required option '--redis <url>' not specified"],
    [["restore", "a"], "required option '--at <moment>' not specified"],
    [["restore", "a", "--at", "1", "--redis", "redis://127.0.0.1"], "Unknown option '--redis'"],
    [["verify", "/nowhere"], "/nowhere is no log store: it has no store.json"],
    [["verify", "/no\n  where"], "/no where is no log store: it has no store.json"],
    [["verify", "s3://bucket"], "s3://bucket is not of the form s3://BUCKET/PREFIX"],
    [["verify", "s3://bucket/log"], "s3://bucket/log: AWS_REGION is not set"],
  ])("%j", async (args, why) => {
    expect(await cli(args)).toMatchObject({ code: 2, stdout: "", stderr: `error: ${why}\n` });
  });

  test("a folder that is something else", async () => {
    const folder = await on.folder();
    await writeFile(join(folder, "store.json"), "no JSON");
    const { code, stdout, stderr } = await cli(["verify", folder]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^error: .*store\.json.*\n$/);
  });

  test("where it came from is shown to whoever asks for it", async () => {
    expect((await cli(["verify", "/nowhere"], { NODE_DEBUG: "log-replay" })).stderr).toContain("    at ");
  });
});

describe("help", () => {
  let text = "";
  beforeAll(async () => void (text = (await cli(["--help"])).stdout));

  test("names every command, and README lists them", () => {
    const listed = [...text.matchAll(/^ {2}(\w+) [<[]/gm)].map(([, name]) => name);
    expect(listed).toEqual(COMMANDS);
    const [, part = ""] = readFileSync(join(LAYER, "README.md"), "utf8").split("## On the command line\n");
    const [table] = part.split("\n## ");
    expect([...(table ?? "").matchAll(/^\| `(\w+)/gm)].map(([, name]) => name)).toEqual(COMMANDS);
    expect(text).toContain("Exit codes: 0 all is well, 1 something is wrong, 2 it could not be done.");
  });

  test.each(COMMANDS)("of %s has an example", async (name) => {
    const asked = await cli(["help", name]);
    expect(asked).toMatchObject({ code: 0, stderr: "" });
    expect(asked.stdout).toContain(`$ npx log-replay ${name}`);
  });

  test("of a command is the same however it is asked for, and has its options", async () => {
    const asked = await cli(["help", "state"]);
    for (const option of ["--at <moment>", "--key <key>", "--json", "-h, --help"])
      expect(asked.stdout).toContain(option);
    expect(await cli(["state", "--help"])).toEqual(asked);
    const follow = await cli(["help", "follow"]);
    expect(follow.stdout).toMatch(/--last <count> +[^\n]+ \(default 10\)\n/);
    expect(follow.stdout.match(/\(default/g)).toHaveLength(1);
    expect(await cli(["state", "-h", "--at", "1"])).toEqual(asked);
  });

  test("without a command it is on stderr, with exit code 2; --version is that of the package", async () => {
    expect(await cli([])).toMatchObject({ code: 2, stdout: "", stderr: text });
    const { version } = JSON.parse(readFileSync(join(LAYER, "package.json"), "utf8")) as { version: string };
    expect(await cli(["--version"])).toMatchObject({ code: 0, stdout: `${version}\n` });
  });
});

/** The exit code of a command whose reader goes away after the first line, or before it. */
async function cutShort(args: readonly string[], reader = "head -1"): Promise<{ code: number; lines: number }> {
  const command = `${process.execPath} ${join(LAYER, "src", "cli", "main.ts")} ${args.join(" ")} | ${reader}; echo \${PIPESTATUS[0]}`;
  const { stdout, stderr } = await promisify(execFile)("bash", ["--norc", "-c", command], {
    env: { PATH: process.env["PATH"] },
  });
  expect(stderr).toBe("");
  const lines = stdout.trimEnd().split("\n");
  return { code: Number(lines.pop()), lines: lines.length };
}

test("`| head` ends it without an error, and colours are for who wants them", async () => {
  const store = await on.store();
  const state = on.open({ store });
  await Promise.all(Array.from({ length: 500 }, (_, i) => state.occ.transact([`n${i}`], add(`n${i}`))));
  expect(await cutShort(["show", store.folder])).toEqual({ code: 0, lines: 1 });
  expect(await cutShort(["--help"], "true")).toEqual({ code: 0, lines: 0 });
  expect((await cli(["show", store.folder, "--last", "1"], { FORCE_COLOR: "1" })).stdout).toContain("\u001b[1m");
});

test("a verdict that nobody hears: what was found so far is 1, and what would have to be found still is no 0", async () => {
  const store = await oneWriter(on);
  // As a process that ends by SIGPIPE: it has not said what is so, or whether it has done what it was to do.
  expect(await cutShort(["verify", store.folder], "true")).toEqual({ code: 141, lines: 0 });
  expect(await cutShort(["restore", store.folder, "--at", "2", "--yes"], "true")).toEqual({ code: 141, lines: 0 });
  for (const n of [2, 5]) await dropCommit(store.folder, n);
  expect(await cutShort(["verify", store.folder])).toEqual({ code: 1, lines: 1 });
  expect(await cutShort(["verify", store.folder, "--json"], "true")).toEqual({ code: 1, lines: 0 });
});

test("the library loads nothing of the command line", async () => {
  const program = `
    import { registerHooks } from "node:module";
    registerHooks({ load: (url, context, next) => (console.log(url), next(url, context)) });
    await import("log-replay");`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
    cwd: LAYER,
  });
  expect(stdout).toContain("/src/logged-redis.ts");
  expect(stdout).not.toContain("/src/cli/");
});
