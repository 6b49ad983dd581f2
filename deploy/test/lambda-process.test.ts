/** The processes in which LocalStack runs functions here (emulator/localstack): they behave as Lambda's environments do. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "@jest/globals";

const EXECUTOR = join(import.meta.dirname, "..", "emulator", "localstack");
/** Starts the handler in a process, runs each line of the script with it, and prints what they evaluate to. */
const DRIVER = `
import json, sys, time
from lambda_process import LambdaProcess, StartupError
env, script = json.loads(sys.argv[1]), sys.argv[2].split("\\n")
process = LambdaProcess(env)
def invoke(payload, timeout=20):
    return process.invoke({"invoke-id": "id-1", "invoked-function-arn": "arn:f", "payload": json.dumps(payload)}, timeout)
def load():
    try:
        return process.wait_until_loaded()
    except StartupError as error:
        return error.error
print(json.dumps([eval(line) for line in script]))
process.kill()
`;

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** @param script lines of Python @returns what each evaluates to, and the folder of the code */
function run(handler: string, script: readonly string[]): { results: unknown[]; folder: string } {
  const folder = mkdtempSync(join(tmpdir(), "lambda-process-"));
  folders.push(folder);
  writeFileSync(join(folder, "f.mjs"), handler);
  const env = {
    PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`,
    LAMBDA_TASK_ROOT: folder,
    _HANDLER: "f.handler",
    AWS_LAMBDA_FUNCTION_NAME: "f",
    AWS_LAMBDA_FUNCTION_TIMEOUT: "20",
  };
  const { stdout, stderr, status } = spawnSync("python3", ["-c", DRIVER, JSON.stringify(env), script.join("\n")], {
    env: { ...process.env, PYTHONPATH: EXECUTOR, PYTHONDONTWRITEBYTECODE: "1" },
  });
  if (status !== 0) throw new Error(stderr.toString());
  return { results: JSON.parse(stdout.toString()) as unknown[], folder };
}

test("a handler gets its event and its context, keeps its state from one invocation to the next, and what it prints is its log", () => {
  const handler = `let count = 0;
    export const handler = async (event, context) => {
      console.log("line", ++count);
      return { event, count, id: context.awsRequestId, name: context.functionName, left: context.getRemainingTimeInMillis() > 19_000 };
    };`;
  const { results } = run(handler, [
    "load()",
    'invoke({"a": "ü\\n"})',
    "process.printed()",
    "invoke(None)",
    "process.printed()",
  ]);
  const expected = { id: "id-1", name: "f", left: true };
  expect(results).toEqual([
    null,
    [{ event: { a: "ü\n" }, count: 1, ...expected }, false],
    "line 1\n",
    [{ event: null, count: 2, ...expected }, false],
    "line 2\n",
  ]);
});

test("an error is the answer in Lambda's form, and the process takes the next invocation", () => {
  const handler = `export const handler = async (event) => { if (event) throw new TypeError("no"); };`;
  const { results } = run(handler, ["load()", "invoke(1)", "invoke(0)"]);
  expect(results).toMatchObject([null, [{ errorType: "TypeError", errorMessage: "no" }, true], [null, false]]);
});

test("what a handler leaves to the background does not happen: between two invocations the process stands still", () => {
  const handler = `import { appendFileSync } from "node:fs";
    export const handler = async () => { setInterval(() => appendFileSync(import.meta.dirname + "/ticks", "."), 1); };`;
  const size = `len(open(env["LAMBDA_TASK_ROOT"] + "/ticks").read())`;
  const { results, folder } = run(handler, [
    "load()",
    `open(env["LAMBDA_TASK_ROOT"] + "/ticks", "w").close()`,
    "invoke(0)",
    size,
    "time.sleep(0.5)",
    size,
  ]);
  expect(results[5]).toBe(results[3]);
  expect(readFileSync(join(folder, "ticks"), "utf8").length).toBeLessThan(200);
});

test("a handler that takes too long is killed, one that ends its process says so, and both are dead then", () => {
  const slow = run(`export const handler = () => new Promise(() => setInterval(() => 0, 10));`, [
    "load()",
    "invoke(0, 0.2)",
    "process.alive()",
  ]);
  expect(slow.results).toEqual([
    null,
    [{ errorType: "Sandbox.Timedout", errorMessage: "Task timed out after 0.20 seconds" }, true],
    false,
  ]);
  const ended = run(`export const handler = async () => process.exit(3);`, ["load()", "invoke(0)", "process.alive()"]);
  expect(ended.results).toEqual([
    null,
    [{ errorType: "Runtime.ExitError", errorMessage: "Runtime exited: 3" }, true],
    false,
  ]);
});

test("a module that cannot be loaded, or has no such handler, does not start", () => {
  expect(run(`throw new RangeError("at start");`, ["load()", "process.alive()"]).results).toMatchObject([
    { errorType: "RangeError", errorMessage: "at start" },
    false,
  ]);
  expect(run(`export const other = 1;`, ["load()"]).results).toMatchObject([
    { errorMessage: "f.handler is not a function" },
  ]);
});

test("a process whose LocalStack is gone ends", () => {
  const { results } = run(`export const handler = async () => 1;`, [
    "load()",
    "process._process.send_signal(18)",
    "process._lines.close()",
    "process._socket.close()",
    "process._process.wait(10)",
  ]);
  expect(results[4]).toBe(0);
});
