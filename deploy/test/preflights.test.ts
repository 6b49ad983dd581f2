import { expect, test } from "@jest/globals";
import { createRequire } from "node:module";
import { preflightHeaders } from "../../functions/http/cors.ts";

const { addPreflights } = createRequire(import.meta.url)("../preflights.cjs") as {
  addPreflights: (
    functions: Record<string, { events?: { http?: unknown; schedule?: string }[] }>,
    origins: string,
  ) => void;
};

const functions = () => ({
  "stock-add": { events: [{ http: "POST /stock/add/{item_id}/{amount}" }] },
  "stock-maintain": { events: [{ schedule: "rate(1 minute)" }] },
  "stock-create-log": {},
});

test("each route of a deployment answers the preflights of the named origins with what the hosts answer", () => {
  const changed = functions();
  addPreflights(changed, "https://a.example,http://localhost:3000");
  const cors = {
    origins: ["https://a.example", "http://localhost:3000"],
    headers: ["content-type", "idempotency-key"],
    maxAge: 600,
  };
  expect(changed["stock-add"].events).toEqual([
    { http: { method: "POST", path: "/stock/add/{item_id}/{amount}", cors } },
  ]);
  expect(changed["stock-maintain"].events).toEqual([{ schedule: "rate(1 minute)" }]);
  expect(preflightHeaders("https://a.example", { CORS_ORIGINS: cors.origins.join() })).toMatchObject({
    "access-control-allow-headers": cors.headers.join(", "),
    "access-control-max-age": String(cors.maxAge),
  });
});

test("without origins there is no CORS", () => {
  const left = functions();
  addPreflights(left, "");
  expect(left).toEqual(functions());
  expect(preflightHeaders("https://a.example", {})).toBeNull();
});
