/** As much of the AWS API as a deployment needs beside `osls`: the outputs of a stack, and calls of its functions. */
import { AwsClient } from "aws4fetch";
import { SERVICES } from "../functions/settings/services.ts";

export interface AwsApiOptions {
  readonly region: string;
  /** The address of an emulator. Default: Amazon's own. */
  readonly endpoint?: string | undefined;
}

export class AwsApi {
  readonly #client: AwsClient;
  readonly #options: AwsApiOptions;

  /** With the credentials in the environment. @throws Error where there are none */
  constructor(options: AwsApiOptions, env: NodeJS.ProcessEnv = process.env) {
    const {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_SESSION_TOKEN: sessionToken,
    } = env;
    if (!accessKeyId || !secretAccessKey)
      throw new Error(
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set (aws configure export-credentials --format env)",
      );
    this.#options = options;
    this.#client = new AwsClient({
      accessKeyId,
      secretAccessKey,
      ...(sessionToken ? { sessionToken } : {}),
      region: options.region,
    });
  }

  /** @throws Error where nobody can say */
  async exists(stack: string): Promise<boolean> {
    try {
      await this.#describe(stack);
      return true;
    } catch (error) {
      if (/ValidationError[^]*does not exist/.test((error as Error).message)) return false;
      throw error;
    }
  }

  /** What the stack says of itself, by name. */
  async outputs(stack: string): Promise<ReadonlyMap<string, string>> {
    const answer = await this.#describe(stack);
    const outputs = [
      ...answer.matchAll(/<member>\s*<OutputKey>([^<]*)<\/OutputKey>\s*<OutputValue>([^<]*)<\/OutputValue>/g),
    ];
    return new Map(outputs.map(([, key = "", value = ""]) => [key, value]));
  }

  /** Calls a function and waits for its result. @throws Error where it fails */
  async invoke(name: string, event: unknown = {}): Promise<unknown> {
    const result = JSON.parse(
      await this.#post("lambda", `/2015-03-31/functions/${name}/invocations`, JSON.stringify(event), {}),
    ) as { errorMessage?: string } | null;
    if (result?.errorMessage !== undefined) throw new Error(`${name}: ${result.errorMessage}`);
    return result;
  }

  async secret(id: string): Promise<string> {
    const headers = { "content-type": "application/x-amz-json-1.1", "x-amz-target": "secretsmanager.GetSecretValue" };
    return (
      JSON.parse(await this.#post("secretsmanager", "/", JSON.stringify({ SecretId: id }), headers)) as {
        SecretString: string;
      }
    ).SecretString;
  }

  async #describe(stack: string): Promise<string> {
    const body = new URLSearchParams({ Action: "DescribeStacks", Version: "2010-05-15", StackName: stack });
    return this.#post("cloudformation", "/", body.toString(), { "content-type": "application/x-www-form-urlencoded" });
  }

  async #post(service: string, path: string, body: string, headers: Record<string, string>): Promise<string> {
    const { region, endpoint = `https://${service}.${region}.amazonaws.com` } = this.#options;
    const response = await this.#client.fetch(endpoint + path, { method: "POST", headers, body, aws: { service } });
    const text = await response.text();
    if (!response.ok) throw new Error(`${service} answered ${response.status}: ${text}`);
    return text;
  }
}

/** Makes each service's log where the stack keeps it. If it is there already, nothing happens. */
export async function createLogs(api: AwsApi, stack: string): Promise<void> {
  for (const service of SERVICES) await api.invoke(`${stack}-${service}-create-log`);
}
