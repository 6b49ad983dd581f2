/** `npm run deploy:aws -- --param="NAME=VALUE" …`: deploys the stage `aws`, and makes the logs where there are none yet. */
import { AwsApi, createLogs } from "./aws-api.ts";
import { osls } from "./osls.ts";

const REGION = process.env["AWS_REGION"] || "eu-central-1";
const STACK = "shop-aws";

try {
  const api = new AwsApi({ region: REGION });
  await osls(["deploy", "--stage", "aws", "--region", REGION, ...process.argv.slice(2)]);
  await createLogs(api, STACK);
  process.stdout.write(`ready: ${(await api.outputs(STACK)).get("ServiceEndpoint") ?? ""}\n`);
} catch (error) {
  process.stderr.write(`error: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
