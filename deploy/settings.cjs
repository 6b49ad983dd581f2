"use strict";
/** The settings' table (functions/settings/settings.json) for serverless.yml and for what is deployed by it. */
const settings = require("../functions/settings/settings.json");

/** By name, for `${file(./deploy/settings.cjs):defaults.NAME}`. */
exports.defaults = Object.fromEntries(settings.map(({ name, default: usual }) => [name, usual]));

/**
 * Refuses, before anything is deployed, what each request would stumble over. What a reference stands for is not known yet.
 * @param {Readonly<Record<string, unknown>>} environment of the functions
 */
exports.checkSettings = (environment) => {
  const said = (name) => (typeof environment[name] === "object" ? "" : String(environment[name] ?? ""));
  for (const { name, oneOf, least, most, unit = "", beyond } of settings) {
    const value = said(name);
    if (value === "") continue;
    if (oneOf && !oneOf.includes(value)) throw new Error(`${name}=${value} is not one of ${oneOf.join(", ")}`);
    if (least !== undefined && !(/^\d+$/.test(value) && Number(value) >= least && Number(value) <= most))
      throw new Error(`${name}=${value} is not a whole number from ${least} to ${most} ${unit}`.trimEnd());
    if (name === "CORS_ORIGINS" && value !== "*" && !value.split(",").every(isOrigin))
      throw new Error(`${name}=${value} is neither * nor origins like https://shop.example with commas between them`);
    // Whoever may look at the functions would read a password in it.
    if (name === "OTEL_EXPORTER_OTLP_ENDPOINT" && !isPlainAddress(value))
      throw new Error(`${name} is not an address like https://collector.example, without a name and a password`);
    if (beyond === undefined) continue;
    const other = beyond[said("SAGA") === "events" ? "events" : "sync"];
    if (Number(value) < Number(said(other) || exports.defaults[other]) + beyond.by)
      throw new Error(`${name}=${value} is less than ${other} and ${beyond.by} more`);
  }
};

function isPlainAddress(text) {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username + password === "";
}

/** As browsers send it. */
function isOrigin(text) {
  return URL.canParse(text) && new URL(text).origin === text;
}
