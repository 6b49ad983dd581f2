"use strict";
/** From metrics that the functions write into their logs (functions/request-log.ts), and from AWS's own. */
const { SERVICES } = require("../services.cjs");
const TASKS = ["order-resume-sagas", ...SERVICES.flatMap((service) => [`${service}-maintain`, `${service}-compact`])];

module.exports = async ({ resolveVariable }) => {
  const [service, stage, topic] = await Promise.all(
    ["self:service", "sls:stage", "param:alarmTopic"].map((name) => resolveVariable(name)),
  );
  const own = `${service}-${stage}`;

  const alarm = (AlarmDescription, [Namespace, MetricName, dimensions], properties) => ({
    Type: "AWS::CloudWatch::Alarm",
    Properties: {
      AlarmDescription,
      Namespace,
      MetricName,
      Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value })),
      Period: 60,
      EvaluationPeriods: 1,
      Threshold: 0,
      ComparisonOperator: "GreaterThanThreshold",
      TreatMissingData: "notBreaching",
      AlarmActions: [{ "Fn::If": ["HasAlarmTopic", topic, { Ref: "AWS::NoValue" }] }],
      ...properties,
    },
  });

  const Resources = {
    SagasStuck: alarm(
      "Checkouts are a minute past their deadline, and resume-sagas does not settle them",
      [own, "StuckSagas", { service: "order" }],
      { Statistic: "Maximum", EvaluationPeriods: 3, DatapointsToAlarm: 2 },
    ),
    SagasNotResumed: alarm(
      "resume-sagas has not run for five minutes",
      ["AWS/Lambda", "Invocations", { FunctionName: `${own}-order-resume-sagas` }],
      {
        Statistic: "Sum",
        Period: 300,
        Threshold: 1,
        ComparisonOperator: "LessThanThreshold",
        TreatMissingData: "breaching",
      },
    ),
    ServerErrors: alarm(
      "More than 1 % of the requests are answered 5xx",
      ["AWS/ApiGateway", "5XXError", { ApiName: `${stage}-${service}`, Stage: stage }],
      { Statistic: "Average", Threshold: 0.01, EvaluationPeriods: 3, DatapointsToAlarm: 2 },
    ),
  };
  for (const name of SERVICES) {
    Resources[`${pascal(name)}Replays`] = alarm(
      `The state of the ${name} service is being restored from its log`,
      [own, "Restores", { service: name }],
      { Statistic: "Sum" },
    );
  }
  for (const task of TASKS) {
    Resources[`${pascal(task)}Fails`] = alarm(
      `${task} fails`,
      ["AWS/Lambda", "Errors", { FunctionName: `${own}-${task}` }],
      { Statistic: "Sum", Period: 300, EvaluationPeriods: 2 },
    );
  }
  return { Resources };
};

function pascal(name) {
  return name
    .split("-")
    .map((word) => word[0].toUpperCase() + word.slice(1))
    .join("");
}
