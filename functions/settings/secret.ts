import { UnavailableError } from "../errors.ts";
import { internalSecret } from "./configuration.ts";

/** Milliseconds that a secret is kept before it is asked for again. A rotation takes this long to reach everybody. */
const KEPT = 5 * 60_000;
/** Milliseconds that Secrets Manager has for its answer. */
const PATIENCE = 3_000;

let kept: { readonly secret: Promise<string>; readonly until: number } | undefined;

/**
 * The key that the services sign their calls to each other with: from Secrets Manager if INTERNAL_SECRET_ARN names it,
 * once in five minutes for the process; otherwise from the local configuration.
 *
 * @throws UnavailableError if Secrets Manager does not give it; nothing was changed
 */
export async function signingSecret(now: number, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const arn = env["INTERNAL_SECRET_ARN"];
  if (!arn) return internalSecret(env);
  if (kept === undefined || kept.until <= now) {
    const secret = fetchSecret(arn, env);
    kept = { secret, until: now + KEPT };
    // Whoever comes next tries again.
    secret.catch(() => (kept = undefined));
  }
  return kept.secret;
}

/** @throws UnavailableError if Secrets Manager does not give it */
export async function fetchSecret(arn: string, env: NodeJS.ProcessEnv): Promise<string> {
  // Not the SDK: each cold start would wait for it to load.
  const { AwsClient } = await import("aws4fetch");
  const region = env["AWS_REGION"] ?? "";
  const client = new AwsClient({
    accessKeyId: env["AWS_ACCESS_KEY_ID"] ?? "",
    secretAccessKey: env["AWS_SECRET_ACCESS_KEY"] ?? "",
    ...(env["AWS_SESSION_TOKEN"] ? { sessionToken: env["AWS_SESSION_TOKEN"] } : {}),
    service: "secretsmanager",
    region,
    retries: 2,
  });
  try {
    const response = await client.fetch(
      `${env["AWS_ENDPOINT_URL"] || `https://secretsmanager.${region}.amazonaws.com`}/`,
      {
        method: "POST",
        headers: { "content-type": "application/x-amz-json-1.1", "x-amz-target": "secretsmanager.GetSecretValue" },
        body: JSON.stringify({ SecretId: arn }),
        signal: AbortSignal.timeout(PATIENCE),
      },
    );
    const { SecretString: secret, __type: type } = (await response.json()) as {
      SecretString?: string;
      __type?: string;
    };
    if (!response.ok || !secret) throw new Error(`Secrets Manager answered ${response.status} ${type ?? ""}`);
    return secret;
  } catch (cause) {
    throw new UnavailableError("service_unavailable", "a secret cannot be read", { cause });
  }
}
