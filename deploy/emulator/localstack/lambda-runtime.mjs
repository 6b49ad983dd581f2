/**
 * What Lambda's own runtime for Node does, for process_executor.py: loads the handler, then takes one invocation after
 * the other, a line of JSON each, and answers each with a line.
 */
import { Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { INVOCATION_FD, _HANDLER = "", LAMBDA_TASK_ROOT = "", AWS_LAMBDA_FUNCTION_TIMEOUT } = process.env;
delete process.env.INVOCATION_FD;
const invoker = new Socket({ fd: Number(INVOCATION_FD) });
const say = (message) => invoker.write(`${JSON.stringify(message)}\n`);
const described = (error) => ({
  errorType: error?.name ?? "Error",
  errorMessage: String(error?.message ?? error),
  trace: String(error?.stack ?? "").split("\n"),
});

let handler;
try {
  const dot = _HANDLER.lastIndexOf(".");
  const loaded = await import(pathToFileURL(join(LAMBDA_TASK_ROOT, `${_HANDLER.slice(0, dot)}.mjs`)).href);
  handler = loaded[_HANDLER.slice(dot + 1)];
  if (typeof handler !== "function") throw new Error(`${_HANDLER} is not a function`);
  say({});
} catch (error) {
  say({ error: described(error) });
}

for await (const line of createInterface({ input: invoker })) {
  const invocation = JSON.parse(line);
  try {
    say({ result: (await handler(JSON.parse(invocation.payload), contextOf(invocation))) ?? null });
  } catch (error) {
    say({ error: described(error) });
  }
}
// Whoever has started this process is gone.
process.exit();

function contextOf(invocation) {
  const deadline = Date.now() + Number(AWS_LAMBDA_FUNCTION_TIMEOUT) * 1_000;
  return {
    awsRequestId: invocation["invoke-id"],
    invokedFunctionArn: invocation["invoked-function-arn"],
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}
