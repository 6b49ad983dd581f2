"use strict";
/**
 * What bundles know of the collector. Where a deployment names none, they know that there is none: esbuild then leaves out whatever
 * is behind that question, OpenTelemetry among it. Under `npm start` the host traces, and not what is bundled for it.
 */
const COLLECTOR = "process.env.OTEL_EXPORTER_OTLP_ENDPOINT";

module.exports = async ({ resolveVariable }) => {
  const endpoint = await resolveVariable("param:otlpEndpoint");
  return { define: endpoint === "" ? { [COLLECTOR]: '""' } : {} };
};
