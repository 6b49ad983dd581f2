import { verify } from "../../functions/calls/signature.ts";
import { internalSecret } from "../../functions/settings/configuration.ts";
import { SERVICES } from "../../functions/settings/services.ts";
import { numberOf, textOrDefault } from "../../functions/settings/settings.ts";
import { urlOf } from "../configuration.ts";
import { mount } from "../console/mount.ts";
import type { Functions } from "../gateway/functions.ts";
import { FunctionServer, type ServerOptions } from "./server.ts";

/** The HTTP server of a host of the functions, as its environment wants it. */
export function gatewayServer(functions: Functions, env: NodeJS.ProcessEnv = process.env): FunctionServer {
  const admission = {
    concurrency: numberOf(env, "MAX_CONCURRENCY"),
    queue: numberOf(env, "MAX_QUEUE"),
    patience: numberOf(env, "QUEUE_TIMEOUT_MS"),
  };
  const probe = async (): Promise<Record<string, string | null>> =>
    Object.fromEntries(
      await Promise.all(SERVICES.map(async (service) => [service, await problemOf(functions, service)] as const)),
    );
  const mounted = mount({
    hostUrl: urlOf(textOrDefault(env, "HTTP_HOST"), numberOf(env, "HTTP_PORT")),
    resume: () => functions.invoke("order-resume-sagas", {}),
    figures: () => server.figures,
  });
  const server: FunctionServer = new FunctionServer({
    functions,
    admission,
    probe,
    isOwn: isOwn(env),
    callsItself: env["DISPATCH"] === "http",
    mounted,
  });
  return server;
}

function isOwn(env: NodeJS.ProcessEnv): ServerOptions["isOwn"] {
  return ({ signature, ...request }) => {
    try {
      verify(request, signature, internalSecret(env), Date.now());
      return true;
    } catch {
      return false;
    }
  };
}

/** What the service's health says; null where it serves. */
async function problemOf(functions: Functions, service: string): Promise<string | null> {
  try {
    const { statusCode, body } = (await functions.invoke(`${service}-health`, {})) as {
      statusCode: number;
      body: string;
    };
    return statusCode === 200 ? null : (JSON.parse(body) as { error: { message: string } }).error.message;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
