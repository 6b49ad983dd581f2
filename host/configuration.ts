/** What `npm start` and `npm run serve` read from the environment, validated, and put right where only one thing can be meant. */
import { isIP, isIPv6 } from "node:net";
import { resolve } from "node:path";
import { SERVICES, type ServiceName as Service } from "../functions/settings/services.ts";
import { dataFolder } from "../functions/settings/configuration.ts";
import { choiceOf, numberOf, SettingError, SETTINGS, textOf, textOrDefault } from "../functions/settings/settings.ts";
import { StartError } from "./start-error.ts";

export { SERVICES, type Service };

export interface Configuration {
  /** An address or a name; IPv6 without brackets. */
  httpHost: string;
  httpPort: number;
  /** The URL by which programs on this machine reach it: `http://[::1]:8000`. */
  url: string;
  /** The port of serverless-offline's Lambda endpoint, on loopback. */
  lambdaPort: number;
  /** Absolute. */
  dataDir: string;
  /** Only a further function host on the Redis servers and logs of a shop that runs already. */
  hostsOnly: boolean;
  /** The servers that are used and not started. */
  givenRedis: Partial<Record<Service, string>>;
  /** The address of a queue server that is used and not started. */
  givenQueues: string | undefined;
  /** Passed on to the functions and their host, all of them strings that have been checked. */
  settings: Record<string, string>;
}

const DERIVED_PORT_DISTANCE = 10_000;
const HIGHEST_PORT = 65_535;

/** @throws StartError naming the variable, what it says and what it may say */
export function readConfiguration(environment: NodeJS.ProcessEnv): Configuration {
  try {
    return read(environment);
  } catch (error) {
    if (error instanceof SettingError) throw new StartError(error.message);
    throw error;
  }
}

function read(environment: NodeJS.ProcessEnv): Configuration {
  const httpPort = numberOf(environment, "HTTP_PORT");
  const httpHost = hostOf(textOrDefault(environment, "HTTP_HOST"));
  const lambdaPort = numberOf(environment, "LAMBDA_PORT", besides(httpPort));
  if (lambdaPort === httpPort)
    throw new StartError(`LAMBDA_PORT=${lambdaPort} is HTTP_PORT as well: two servers, two ports`);
  const url = urlOf(httpHost, httpPort);
  const settings = checked(environment);
  const gateway = gatewayOf(httpAddress(environment, "GATEWAY_URL"));
  httpAddress(environment, "OTEL_EXPORTER_OTLP_ENDPOINT");
  return {
    httpHost,
    httpPort,
    url,
    lambdaPort,
    dataDir: resolve(dataFolder(environment)),
    hostsOnly: choiceOf(environment, "HOSTS_ONLY") === "1",
    givenRedis: givenRedis(environment),
    givenQueues: httpAddress(environment, "SQS_ENDPOINT"),
    settings: {
      ...settings,
      // Who names a gateway wants the calls between the services to go through it.
      DISPATCH: choiceOf(environment, "DISPATCH", gateway === undefined ? "direct" : "http"),
      GATEWAY_URL: gateway ?? url,
      CORS_ORIGINS: corsOrigins(textOf(environment, "CORS_ORIGINS")),
      HTTP_HOST: httpHost,
      HTTP_PORT: String(httpPort),
    },
  };
}

/** Every setting that is a number or a choice, and whether they go together. */
function checked(environment: NodeJS.ProcessEnv): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const { name, of, oneOf, default: usual } of SETTINGS) {
    if (of === "both" || of === "deployment") continue;
    if (oneOf !== undefined) settings[name] = choiceOf(environment, name);
    else if (typeof usual === "number") settings[name] = String(numberOf(environment, name));
  }
  for (const { name, beyond } of SETTINGS) {
    if (beyond === undefined) continue;
    const other = beyond[settings["SAGA"] === "events" ? "events" : "sync"];
    if (Number(settings[name]) < Number(settings[other]) + beyond.by)
      throw new StartError(
        `${name}=${settings[name]} is less than ${other} (${settings[other]}) and ${beyond.by} more: steps of checkouts that still run would be refused`,
      );
  }
  return settings;
}

function givenRedis(environment: NodeJS.ProcessEnv): Partial<Record<Service, string>> {
  const given: Partial<Record<Service, string>> = {};
  const users = new Map<string, string>();
  for (const service of SERVICES) {
    const name = `REDIS_URL_${service.toUpperCase()}`;
    const url = textOf(environment, name);
    if (url === undefined) continue;
    const place = databaseOf(name, url);
    const other = users.get(place);
    if (other !== undefined)
      throw new StartError(
        `${name} is the database of ${other} as well: each service wipes its own before a restore, so each needs one of its own`,
      );
    users.set(place, name);
    given[service] = url;
  }
  return given;
}

/** Which database an address means. The messages leave its password out. @throws StartError */
function databaseOf(name: string, text: string): string {
  const example = "redis://:password@127.0.0.1:6379/0";
  if (!/^rediss?:\/\/./.test(text) || !URL.canParse(text))
    throw new StartError(`${name} is not an address like ${example}`);
  const { hostname, port, pathname, username, password } = new URL(text);
  for (const secret of [username, password]) {
    try {
      decodeURIComponent(secret);
    } catch {
      throw new StartError(`${name} has a % in its user or password that begins no escape: write it as %25`);
    }
  }
  if (hostname === "") throw new StartError(`${name} names no host, as ${example} does`);
  if (!/^(\/\d*)?$/.test(pathname))
    throw new StartError(`${name} ends with ${pathname}, which is no number of a database, as in ${example}`);
  return `${hostname === "localhost" ? "127.0.0.1" : hostname}:${port || 6379}/${Number(pathname.slice(1))}`;
}

/** IPv6 may come with its brackets. */
function hostOf(text: string): string {
  const host = text.replace(/^\[(.*)\]$/, "$1");
  if (isIP(host) !== 0 || /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(host)) return host;
  throw new StartError(`HTTP_HOST=${text} is neither an address nor a name`);
}

/** The URL by which programs on this machine reach a server. @param host IPv6 without brackets */
export function urlOf(host: string, port: number): string {
  return `http://${bracketed(reachable(host))}:${port}`;
}

/** Who listens on every address is reached on loopback. */
function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

function bracketed(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

/** Without the slash at its end, which each path brings with it. */
function httpAddress(environment: NodeJS.ProcessEnv, name: string): string | undefined {
  const text = textOf(environment, name);
  if (text === undefined) return undefined;
  if (!/^https?:\/\/./.test(text) || !URL.canParse(text))
    throw new StartError(`${name}=${text} is not an address like http://127.0.0.1:8000`);
  return text.replace(/\/+$/, "");
}

function gatewayOf(address: string | undefined): string | undefined {
  if (address !== undefined && /[?#]/.test(address))
    throw new StartError(`GATEWAY_URL=${address} has a query or a fragment: the services' paths follow it`);
  return address;
}

/** `*`, or origins as browsers send them, with commas between them. */
function corsOrigins(text = ""): string {
  const origins = text
    .split(",")
    .map((origin) => origin.trim())
    .filter((origin) => origin !== "");
  for (const origin of origins) {
    if (origin === "*" ? origins.length === 1 : URL.canParse(origin) && new URL(origin).origin === origin) continue;
    throw new StartError(
      `CORS_ORIGINS names ${origin}, which is no origin like https://shop.example (with nothing behind its host and port)`,
    );
  }
  return origins.join(",");
}

/** The port that is taken besides one, where none is named: the Lambda endpoint of the emulator. */
export function besides(port: number): number {
  return port + DERIVED_PORT_DISTANCE <= HIGHEST_PORT ? port + DERIVED_PORT_DISTANCE : port - DERIVED_PORT_DISTANCE;
}
