/** Which pages may call the routes from a browser: CORS_ORIGINS, the same on every host. */

type Headers = Readonly<Record<string, string>>;

const NONE: Headers = {};
const METHODS = "GET, POST";
const REQUEST_HEADERS = "content-type, idempotency-key";
/** What a page may read of an answer besides its body. */
const ANSWER_HEADERS = "location, retry-after";
/** Seconds for which a browser keeps what a preflight has told it. */
const MAX_AGE = "600";

/** The headers that an answer has for a request from this origin; none where there is no CORS. */
export function corsHeaders(origin: string | undefined, env: NodeJS.ProcessEnv = process.env): Headers {
  const origins = env["CORS_ORIGINS"];
  if (!origins) return NONE;
  if (origins === "*") return { "access-control-allow-origin": "*", "access-control-expose-headers": ANSWER_HEADERS };
  // Caches must not give one origin's answer to another.
  if (origin === undefined || !origins.split(",").includes(origin)) return { vary: "Origin" };
  return { vary: "Origin", "access-control-allow-origin": origin, "access-control-expose-headers": ANSWER_HEADERS };
}

/** What a browser asks before it sends a request; null where the origin may not. */
export function preflightHeaders(origin: string | undefined, env: NodeJS.ProcessEnv = process.env): Headers | null {
  const allowed = corsHeaders(origin, env);
  if (allowed["access-control-allow-origin"] === undefined) return null;
  return {
    ...allowed,
    "access-control-allow-methods": METHODS,
    "access-control-allow-headers": REQUEST_HEADERS,
    "access-control-max-age": MAX_AGE,
  };
}
