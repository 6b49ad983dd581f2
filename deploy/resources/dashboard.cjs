"use strict";
/** What to watch, on one page of CloudWatch: metrics of functions/observe/measures.ts, and AWS's own. docs/operate.md reads it. */
const { SERVICES } = require("../services.cjs");

const WIDTH = 8;
const HEIGHT = 6;

module.exports = async ({ resolveVariable }) => {
  const [service, stage] = await Promise.all(["self:service", "sls:stage"].map((name) => resolveVariable(name)));
  const own = `${service}-${stage}`;
  const ofEach = (metric) => SERVICES.map((name) => [own, metric, "service", name]);
  const widgets = [
    ["Checkouts settled", "Sum", [[own, "Checkouts", "service", "order"]]],
    ["Checkouts, 99 % within (s)", "p99", [[own, "CheckoutSeconds", "service", "order"]]],
    ["Checkouts that are stuck", "Maximum", [[own, "StuckSagas", "service", "order"]]],
    ["Requests", "Sum", ofEach("Requests")],
    ["Requests, 99 % within (s)", "p99", ofEach("RequestSeconds")],
    ["Requests answered 5xx", "Sum", ofEach("ServerErrors")],
    ["Appends, 99 % within (s)", "p99", ofEach("AppendSeconds")],
    ["Transactions in a group", "Average", ofEach("GroupTransactions")],
    ["Conflicts", "Sum", ofEach("Conflicts")],
    ["Restores", "Sum", ofEach("Restores")],
    ["Restores, longest (s)", "Maximum", ofEach("RestoreSeconds")],
    ["Gateway, 99 % within (ms)", "p99", [["AWS/ApiGateway", "Latency", "ApiName", `${stage}-${service}`]]],
  ].map(([title, stat, metrics], i) => ({
    type: "metric",
    x: (i % 3) * WIDTH,
    y: Math.floor(i / 3) * HEIGHT,
    width: WIDTH,
    height: HEIGHT,
    properties: { title, stat, metrics, period: 60, region: "${AWS::Region}", view: "timeSeries" },
  }));
  return {
    Resources: {
      Dashboard: {
        Type: "AWS::CloudWatch::Dashboard",
        // An emulator has no place for it.
        Condition: "OnAws",
        Properties: { DashboardName: own, DashboardBody: { "Fn::Sub": JSON.stringify({ widgets }) } },
      },
    },
  };
};
