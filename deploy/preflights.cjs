"use strict";

/** The same as functions/http/cors.ts says on every host. */
const HEADERS = ["content-type", "idempotency-key"];
const MAX_AGE_SECONDS = 600;

/**
 * Has API Gateway answer the preflights of pages from these origins, on each route: a function is not asked. Without origins
 * nothing changes.
 * @param {Record<string, { events?: { http?: unknown }[] }>} functions of serverless.yml
 * @param {string} origins CORS_ORIGINS
 */
exports.addPreflights = (functions, origins) => {
  if (!origins) return;
  for (const { events = [] } of Object.values(functions)) {
    for (const event of events) {
      if (event.http === undefined) continue;
      const [method, path] =
        typeof event.http === "string" ? event.http.split(/\s+/) : [event.http.method, event.http.path];
      event.http = { method, path, cors: { origins: origins.split(","), headers: HEADERS, maxAge: MAX_AGE_SECONDS } };
    }
  }
};
