/** Dashboards and alarms show metrics that there are, and none that nobody writes any more. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { collectDefaultMetrics, Registry } from "prom-client";
import { METRICS } from "../functions/observe/measures.ts";
import { promisedMetrics } from "./support/metrics-table.ts";

const ROOT = join(import.meta.dirname, "..");
const require = createRequire(import.meta.url);

interface Resource {
  readonly Type: string;
  readonly Properties: {
    readonly Namespace?: string;
    readonly MetricName?: string;
    readonly DashboardBody?: { readonly "Fn::Sub": string };
  };
}

/** As the framework makes it, of a stage that is called aws. */
async function resources(file: string): Promise<Resource[]> {
  const make = require(join(ROOT, "deploy", "resources", file)) as (
    context: object,
  ) => Promise<{ Resources: Record<string, Resource> }>;
  const values: Record<string, string> = { "self:service": "shop", "sls:stage": "aws", "param:alarmTopic": "" };
  const { Resources } = await make({ resolveVariable: async (name: string) => values[name] ?? "" });
  return Object.values(Resources);
}

test("the Grafana dashboard asks for metrics that a host has", () => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const there = new Set(registry.getMetricsAsArray().map(({ name }) => name));
  for (const { name, type } of Object.values(METRICS)) {
    there.add(name);
    if (type === "histogram") for (const part of ["_bucket", "_sum", "_count"]) there.add(name + part);
  }
  const ofHosts = ["requests_active", "requests_queued", "queue_messages", "queue_oldest_seconds"];
  for (const name of ofHosts) there.add(`shop_${name}`);
  const { panels } = JSON.parse(readFileSync(join(ROOT, "deploy", "grafana", "shop.json"), "utf8")) as {
    panels: { targets: { expr: string }[] }[];
  };
  const asked = panels.flatMap(({ targets }) =>
    targets.flatMap(({ expr }) => expr.match(/\b(?:shop|nodejs|process)_[a-z0-9_]+/g) ?? []),
  );
  expect(asked.length).toBeGreaterThan(15);
  expect(asked.filter((name) => !there.has(name))).toEqual([]);
});

const embedded: ReadonlySet<string> = new Set(Object.values(METRICS).map((metric) => metric.embedded));

test("the CloudWatch dashboard shows metrics that the functions write", async () => {
  const [dashboard] = await resources("dashboard.cjs");
  const { widgets } = JSON.parse(dashboard?.Properties.DashboardBody?.["Fn::Sub"] ?? "") as {
    widgets: { properties: { metrics: [namespace: string, name: string][] } }[];
  };
  const own = widgets.flatMap(({ properties }) => properties.metrics).filter(([namespace]) => namespace === "shop-aws");
  expect(own.length).toBeGreaterThan(10);
  expect(own.map(([, name]) => name).filter((name) => !embedded.has(name))).toEqual([]);
});

test("the alarms watch metrics that the functions write", async () => {
  const own = (await resources("alarms.cjs")).filter(({ Properties }) => Properties.Namespace === "shop-aws");
  expect(own.length).toBeGreaterThan(3);
  expect(own.map(({ Properties }) => Properties.MetricName ?? "").filter((name) => !embedded.has(name))).toEqual([]);
});

test("docs/operate.md has each metric's name in CloudWatch, and why others have none", () => {
  const [written, others]: [Record<string, string>, string[]] = [{}, []];
  for (const { name, embedded: said } of promisedMetrics())
    if (/^`\w+`$/.test(said)) written[name] = said.slice(1, -1);
    else others.push(said);
  expect(written).toEqual(Object.fromEntries(Object.values(METRICS).map((metric) => [metric.name, metric.embedded])));
  expect(others.filter((said) => !/^(of a host only|SQS's own `\w+…?`)$/.test(said))).toEqual([]);
  expect(others).toHaveLength(4);
});

test("docs/operate.md tells of each alarm of the stack what to do, also of checkouts by events", async () => {
  const text = readFileSync(join(ROOT, "docs", "operate.md"), "utf8");
  const alarms = await Promise.all(
    ["alarms.cjs", "queues.cjs"].map(async (file) => {
      const make = require(join(ROOT, "deploy", "resources", file)) as (
        context: object,
      ) => Promise<{ Resources: Record<string, Resource> }>;
      const { Resources } = await make({
        resolveVariable: async (name: string) => (name === "param:saga" ? "events" : "x"),
      });
      return Object.entries(Resources).flatMap(([name, { Type }]) => (Type === "AWS::CloudWatch::Alarm" ? [name] : []));
    }),
  );
  const kinds = new Set(alarms.flat().map((name) => name.replace(/^.*(Replays|Fails|QueueOld|DeadLettersAny)$/, "$1")));
  expect(kinds).toContain("DeadLettersAny");
  expect([...kinds].filter((kind) => !text.includes(`\`${kind}\``) && !text.includes(`\`…${kind}\``))).toEqual([]);
});
