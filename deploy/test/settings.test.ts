import { expect, test } from "@jest/globals";
import { createRequire } from "node:module";
import { SETTINGS } from "../../functions/settings/settings.ts";

const { checkSettings, defaults } = createRequire(import.meta.url)("../settings.cjs") as {
  checkSettings: (environment: Readonly<Record<string, unknown>>) => void;
  defaults: Readonly<Record<string, string | number>>;
};

test("what is left as it is can be deployed, and what is not known yet is not judged", () => {
  const numbersAndChoices = SETTINGS.filter(({ least, oneOf }) => least !== undefined || oneOf !== undefined);
  expect(numbersAndChoices.length).toBeGreaterThan(10);
  const { LAMBDA_PORT: _, ...usual } = Object.fromEntries(numbersAndChoices.map(({ name }) => [name, defaults[name]]));
  for (const environment of [
    usual,
    {},
    { RETENTION_MS: "" },
    { SAGA: { Ref: "Mode" } },
    { CORS_ORIGINS: "*" },
    { OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector.example/otlp" },
    { CORS_ORIGINS: "https://a.example,http://b:1" },
  ])
    expect(() => checkSettings(environment)).not.toThrow();
});

test.each([
  [{ RETENTION_MS: 1 }, /^RETENTION_MS=1 is not a whole number from 120000/],
  [{ RETENTION_MS: "130000", SAGA_TIMEOUT_MS: "100000" }, /^RETENTION_MS=130000 is less than SAGA_TIMEOUT_MS/],
  [{ RETENTION_MS: "130000", SAGA: "events" }, /^RETENTION_MS=130000 is less than EVENT_SAGA_TIMEOUT_MS/],
  [{ STEP_TIMEOUT_MS: "10000" }, /^STEP_TIMEOUT_MS=10000 .* to 9500 milliseconds$/],
  [{ BATCH_LIMIT: "many" }, /^BATCH_LIMIT=many is not a whole number/],
  [{ CORS_ORIGINS: "https://shop.example, http://localhost:3000" }, /^CORS_ORIGINS=.* is neither/],
  [{ CORS_ORIGINS: "https://shop.example/" }, /^CORS_ORIGINS=.* is neither/],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" }, /^OTEL_EXPORTER_OTLP_ENDPOINT is not an address/],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "https://me:secret@collector.example" }, /^(?!.*secret).* without a name and/],
  [{ SAGA: "both" }, /^SAGA=both is not one of sync, events/],
  [{ LOG_LEVEL: "loud" }, /^LOG_LEVEL=loud is not one of/],
])("%j is refused before anything is deployed", (environment, words) => {
  expect(() => checkSettings(environment)).toThrow(words);
});
