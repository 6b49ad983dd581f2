import { StartError } from "../host/start-error.ts";
import { AwsApi, createLogs } from "./aws-api.ts";
import { osls } from "./osls.ts";

const REGION = "eu-central-1";
const STACK = "shop-local";

export interface LocalStage {
  /** The base URL of the routes. */
  readonly url: string;
  /** What the services sign their calls to each other with. */
  readonly secret: string;
}

/** What `osls` and its own calls need to talk to an emulator. @param endpoint `http://127.0.0.1:4566` */
export function emulatorEnvironment(endpoint: string): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    SHOP_ENDPOINT: endpoint,
    SLS_AWS_MONITORING_FREQUENCY: "1000", // ms; an emulator does at once what AWS takes minutes for
  };
}

/** @throws Error where the emulator cannot be asked */
export async function isDeployed(endpoint: string, environment: Readonly<Record<string, string>>): Promise<boolean> {
  return new AwsApi({ region: REGION, endpoint }, environment).exists(STACK);
}

/**
 * Deploys the stage `local`, and makes the logs where there are none yet.
 * @param environment `emulatorEnvironment`, with REDIS_URL_ORDER, REDIS_URL_STOCK and REDIS_URL_PAYMENT as the functions reach them
 */
export async function deployLocally(
  endpoint: string,
  environment: Readonly<Record<string, string>>,
): Promise<LocalStage> {
  await osls(["deploy", "--stage", "local"], environment);
  const api = new AwsApi({ region: REGION, endpoint }, environment);
  await createLogs(api, STACK);
  const outputs = await api.outputs(STACK);
  const gateway = /^https?:\/\/([a-z0-9]+)\./.exec(outputs.get("ServiceEndpoint") ?? "")?.[1];
  const secret = outputs.get("InternalSecretArn");
  if (gateway === undefined || secret === undefined) throw new StartError("the stack names no gateway or no secret");
  return { url: `${endpoint}/restapis/${gateway}/local/_user_request_`, secret: await api.secret(secret) };
}

/** The opposite. @throws Error where something of the stack may be left */
export async function removeLocally(environment: Readonly<Record<string, string>>): Promise<void> {
  await osls(["remove", "--stage", "local"], environment);
}
