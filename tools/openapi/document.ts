/** The contract as an OpenAPI document (3.1): the routes of serverless.yml, with the schemas that their functions check. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { toJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import type { RefusalCode } from "../../functions/errors.ts";
import { ROUTE } from "../../functions/handler/endpoint.ts";
import { readDescription } from "../../host/gateway/description.ts";
import { ANSWERS, type Answers } from "./answers.ts";

const ROOT = join(import.meta.dirname, "..", "..");

type Schema = Readonly<Record<string, unknown>>;

/** What a function was made from. Nothing where it takes no parameters and changes nothing. */
interface Described {
  readonly route?: string;
  readonly path?: v.ObjectEntries;
  readonly signedBody?: v.ObjectEntries;
}

interface Operation extends Described {
  readonly name: string;
  readonly method: string;
  readonly resource: string;
  readonly answers: Answers;
}

/** @throws Error where a function has a route and is not described in answers.ts */
export async function openApiDocument(): Promise<Schema> {
  const { functions } = await readDescription(ROOT, "offline");
  const described: Operation[] = [];
  for (const { name, handler, routes } of functions) {
    for (const route of routes) {
      const answers = ANSWERS[name];
      if (answers === undefined) throw new Error(`${name} is not described in tools/openapi/answers.ts`);
      described.push({ name, ...route, ...(await describedBy(handler)), answers });
    }
  }
  const paths: Record<string, Record<string, Schema>> = {};
  for (const one of described)
    (paths[one.resource] ??= {})[one.method.toLowerCase()] = operation(one, linksOf(one, described));
  return {
    openapi: "3.1.0",
    info: { title: "Checkouts that survive crashes", version: "1.0.0", license: { name: "MIT", identifier: "MIT" } },
    paths,
    components: {
      responses: SHARED,
      schemas: { Error: errorSchema({ type: "string" }) },
      securitySchemes: { signature: { type: "apiKey", in: "header", name: "x-shop-signature" } },
    },
  };
}

async function describedBy(handler: string): Promise<Described> {
  const file = join(ROOT, `${handler.slice(0, handler.lastIndexOf("."))}.ts`);
  const loaded = (await import(pathToFileURL(file).href)) as { readonly handler: { readonly [ROUTE]?: Described } };
  return loaded.handler[ROUTE] ?? {};
}

/** Where an id that an answer gives can be used: each operation that has it in its path, by its name. */
function linksOf({ path = {}, answers: { body } }: Operation, all: readonly Operation[]): Schema {
  const given = Object.keys((body["properties"] as Schema | undefined) ?? {}).filter(
    (name) => !Object.hasOwn(path, name),
  );
  const links = given.flatMap((id) =>
    all
      .filter((other) => Object.hasOwn(other.path ?? {}, id))
      .map(({ name }) => [name, { operationId: name, parameters: { [id]: `$response.body#/${id}` } }] as const),
  );
  return Object.fromEntries(links);
}

function operation({ name, method, route, path = {}, signedBody, answers }: Operation, links: Schema): Schema {
  const keyed = method === "POST" && signedBody === undefined;
  const parameters = Object.entries(path).map(([parameter, schema]) => ({
    name: parameter,
    in: "path",
    required: true,
    schema: pathSchema(schema),
  }));
  const key = {
    name: "Idempotency-Key",
    in: "header",
    required: false,
    // One that comes twice is joined by a comma on its way.
    schema: { type: "string", pattern: "^([!-+\\--~]{1,255})(, ?\\1)*$" },
    description: "The same key and the same request give the first answer again.",
  };
  return {
    operationId: name,
    summary: answers.summary,
    tags: [name.split("-")[0]],
    parameters: keyed ? [...parameters, key] : parameters,
    ...(signedBody === undefined
      ? {}
      : {
          security: [{ signature: [] }],
          requestBody: {
            required: true,
            content: { "application/json": { schema: jsonSchema(v.object(signedBody)) } },
          },
        }),
    responses: responses(
      parameters.map(({ schema }) => schema),
      { isEndpoint: route !== undefined, keyed, signed: signedBody !== undefined },
      answers,
      links,
    ),
  };
}

/** The JSON schema of what comes in. A check that JSON Schema cannot say is left out. */
function jsonSchema(schema: v.GenericSchema): Schema {
  const { $schema: _, ...described } = toJsonSchema(schema, {
    target: "draft-2020-12",
    errorMode: "ignore",
    typeMode: "input",
  });
  return described;
}

/** A number is checked as text, since it is a part of a path: what it stands for is a whole number in a range. */
function pathSchema(schema: v.GenericSchema): Schema {
  const actions =
    "pipe" in schema ? (schema.pipe as readonly { readonly type: string; readonly requirement?: unknown }[]) : [];
  const minimum = actions.find(({ type }) => type === "min_value")?.requirement;
  const maximum = actions.find(({ type }) => type === "max_value")?.requirement;
  return minimum === undefined ? jsonSchema(schema) : { type: "integer", minimum, maximum };
}

interface Kind {
  /** It is one of the functions that look at all of a request. */
  readonly isEndpoint: boolean;
  readonly keyed: boolean;
  readonly signed: boolean;
}

function responses(
  parameters: readonly Schema[],
  { isEndpoint, keyed, signed }: Kind,
  answers: Answers,
  links: Schema,
): Schema {
  const numbers = parameters.some(({ type }) => type === "integer");
  const ids = parameters.some(({ type }) => type === "string");
  const codes: (RefusalCode | "bad_request")[] = [
    "bad_request",
    ...(numbers ? (["invalid_number"] as const) : []),
    // What is signed has its ids in the body.
    ...(ids || signed ? (["invalid_id"] as const) : []),
    ...(isEndpoint ? (["invalid_idempotency_key"] as const) : []),
    ...answers.codes,
  ];
  return {
    200: {
      description: answers.summary,
      content: { [answers.type]: { schema: answers.body } },
      ...(Object.keys(links).length === 0 ? {} : { links }),
    },
    ...(answers.goesOn ? { 202: GOES_ON } : {}),
    400: error("Refused: nothing was changed", codes),
    ...shared(404, 408, 413, 417, 429, 431, 500, 502, 504),
    ...(signed ? shared(403) : {}),
    ...(answers.conflicts ? shared(409) : {}),
    ...(keyed ? shared(422) : {}),
    ...(answers.notServing ? { 503: notServing(answers.notServing) } : shared(503)),
  };
}

const LATER = { "Retry-After": { schema: { type: "string", pattern: "^\\d+$" }, description: "seconds" } };

const GOES_ON: Schema = {
  description: "By events only: it goes on after the request, and ends by itself",
  headers: { Location: { schema: { type: "string" }, description: "where its state can be read" }, ...LATER },
  content: {
    "application/json": {
      schema: {
        type: "object",
        properties: { saga_id: { type: "string" }, state: { enum: ["running", "compensating"] } },
        required: ["saga_id", "state"],
        additionalProperties: false,
      },
    },
  },
};

/** What may come of any request, by status. */
const SHARED: Readonly<Record<number, Schema>> = {
  403: error("A route between the services, without a right signature", ["forbidden"]),
  404: error("No such route", ["unknown_path"]),
  408: error("The request did not come whole in time", ["request_timeout"]),
  409: error("The order's checkout is running", ["checkout_running"]),
  413: error("The body is too large", ["body_too_large"]),
  417: error("Nothing but 100-continue can be expected", ["expectation_failed"]),
  422: error("The key was used for another request", ["idempotency_key_reused"]),
  429: { ...error("Throttled by the gateway", ["too_many_requests"]), headers: LATER },
  431: error("The headers are too large", ["headers_too_large"]),
  500: error("A bug", ["internal_error"]),
  502: error("The function gave no answer: the outcome is not known", ["function_failed"]),
  503: { ...error("Not now: nothing was changed, or it is being undone"), headers: LATER },
  504: error("The outcome is not known", ["outcome_unknown"]),
};

function shared(...statuses: readonly number[]): Schema {
  return Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${status}` }]));
}

function notServing(schema: Schema): Schema {
  const refusal = { $ref: "#/components/schemas/Error" };
  return {
    description: "It does not serve now",
    headers: LATER,
    content: { "application/json": { schema: { anyOf: [schema, refusal] } } },
  };
}

function error(description: string, codes?: readonly string[]): Schema {
  return {
    description,
    content: {
      "application/json": {
        schema: codes === undefined ? { $ref: "#/components/schemas/Error" } : errorSchema({ enum: codes }),
      },
    },
  };
}

function errorSchema(code: Schema): Schema {
  const properties = { code, message: { type: "string" } };
  return {
    type: "object",
    properties: { error: { type: "object", properties, required: ["code", "message"], additionalProperties: false } },
    required: ["error"],
    additionalProperties: false,
  };
}
