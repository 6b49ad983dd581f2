/** What serverless.yml says of the functions, with every variable resolved by the framework's own resolver. */
import { createRequire } from "node:module";
import { join } from "node:path";

export interface RouteDescription {
  readonly method: string;
  /** As API Gateway writes it: `/stock/add/{item_id}/{amount}`. */
  readonly resource: string;
}

/** A queue whose messages a function is invoked with. */
export interface QueueDescription {
  /** Whose it is: `stock`. */
  readonly service: string;
  /** Messages of one invocation at most. */
  readonly batchSize: number;
  /** True where the function says which messages have to come again. Otherwise all are handled where it does not throw. */
  readonly partialFailures: boolean;
}

export interface FunctionDescription {
  readonly name: string;
  /** `functions/stock/find.handler` */
  readonly handler: string;
  /** Milliseconds. */
  readonly timeout: number;
  readonly memoryMegabytes: number;
  readonly routes: readonly RouteDescription[];
  /** Milliseconds between two runs, for each schedule. */
  readonly schedules: readonly number[];
  readonly queues?: readonly QueueDescription[];
}

export interface ServiceDescription {
  readonly service: string;
  readonly stage: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly functions: readonly FunctionDescription[];
}

/** The framework's defaults for a function that does not say. */
const DEFAULT_TIMEOUT_SECONDS = 6;
const DEFAULT_MEMORY_MEGABYTES = 1024;
const DEFAULT_BATCH_SIZE = 10;

const UNITS: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

interface HttpEvent {
  readonly method: string;
  readonly path: string;
}

interface QueueEvent {
  readonly arn: { readonly "Fn::GetAtt": readonly [string, "Arn"] };
  readonly batchSize?: number;
  readonly functionResponseType?: "ReportBatchItemFailures";
}

interface FunctionLimits {
  readonly timeout?: number;
  readonly memorySize?: number;
}

interface Configuration {
  readonly service: string;
  readonly params?: object;
  readonly custom: { readonly deployment: { readonly saga: string } };
  readonly provider: FunctionLimits & { readonly stage: string; readonly environment?: Record<string, unknown> };
  readonly functions: Record<
    string,
    FunctionLimits & {
      readonly handler: string;
      readonly events?: readonly {
        readonly http?: string | HttpEvent;
        readonly schedule?: string | { readonly rate: string };
        readonly sqs?: QueueEvent;
      }[];
    }
  >;
}

/**
 * @param root the folder of serverless.yml
 * @throws Error where it cannot be read, a variable cannot be resolved, or an event is of a kind that is not served here
 */
export async function readDescription(root: string, stage: string): Promise<ServiceDescription> {
  const { service, provider, functions, custom } = await resolved(root, stage);
  // As deploy/events-plugin.cjs does: without events nobody has a queue.
  const hasQueues = custom.deployment.saga === "events";
  const environment = Object.entries(provider.environment ?? {}).map(([name, value]) => [name, String(value)] as const);
  return {
    service,
    stage,
    environment: Object.fromEntries(environment),
    functions: Object.entries(functions)
      .filter(([, { events = [] }]) => hasQueues || events.every(({ sqs }) => sqs === undefined))
      .map(([name, { handler, events = [], timeout, memorySize }]) => ({
        name,
        handler,
        timeout: (timeout ?? provider.timeout ?? DEFAULT_TIMEOUT_SECONDS) * 1_000,
        memoryMegabytes: memorySize ?? provider.memorySize ?? DEFAULT_MEMORY_MEGABYTES,
        routes: events.flatMap(({ http }) => (http === undefined ? [] : [routeOf(http)])),
        schedules: events.flatMap(({ schedule }) => (schedule === undefined ? [] : [rateOf(schedule, name)])),
        queues: events.flatMap(({ sqs }) => (sqs === undefined ? [] : [queueOf(sqs, name)])),
      })),
  };
}

/**
 * The framework has no public module for this, so its version is pinned, and a test compares the result with
 * `serverless print`.
 */
async function resolved(root: string, stage: string): Promise<Configuration> {
  const require = createRequire(import.meta.url);
  const load = (module: string): unknown => require(`serverless/lib/configuration/${module}.js`);
  const read = load("read") as (path: string) => Promise<Configuration>;
  const resolveVariables = load("variables/index") as (input: object) => Promise<void>;
  const configuration = await read(join(root, "serverless.yml"));
  const sources = {
    env: load("variables/sources/env"),
    file: load("variables/sources/file"),
    opt: load("variables/sources/opt"),
    self: load("variables/sources/self"),
    strToBool: load("variables/sources/str-to-bool"),
    param: (load("variables/sources/instance-dependent/param") as (instance: object) => unknown)({
      configurationInput: { params: structuredClone(configuration.params) },
      processedInput: { options: {} },
    }),
  };
  await resolveVariables({ serviceDir: root, configuration, options: { stage }, sources });
  return configuration;
}

function routeOf(http: string | HttpEvent): RouteDescription {
  const [method = "", path = ""] = typeof http === "string" ? http.split(/\s+/) : [http.method, http.path];
  return { method: method.toUpperCase(), resource: path.startsWith("/") ? path : `/${path}` };
}

/** The queues are named in the template: `StockQueue`. */
function queueOf({ arn, batchSize, functionResponseType }: QueueEvent, name: string): QueueDescription {
  const [, service] = /^([A-Z][a-z]+)Queue$/.exec(arn["Fn::GetAtt"][0]) ?? [];
  if (service === undefined) throw new Error(`the queue of ${name} is not one of the template`);
  return {
    service: service.toLowerCase(),
    batchSize: batchSize ?? DEFAULT_BATCH_SIZE,
    partialFailures: functionResponseType === "ReportBatchItemFailures",
  };
}

function rateOf(schedule: string | { readonly rate: string }, name: string): number {
  const expression = typeof schedule === "string" ? schedule : schedule.rate;
  const [, count, unit] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? [];
  const milliseconds = Number(count) * (UNITS[unit ?? ""] ?? NaN);
  if (!(milliseconds > 0)) throw new Error(`the schedule "${expression}" of ${name} is not one like rate(1 minute)`);
  return milliseconds;
}
