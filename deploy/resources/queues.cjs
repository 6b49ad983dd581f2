"use strict";
/**
 * Where checkouts go by events (`saga`): a queue for each service, one beside it for what cannot be handled, and who may use
 * them. Nothing where they go by calls.
 */
const { SERVICES } = require("../services.cjs");
/** Whom each service tells something. */
const TELLS = { order: ["stock", "payment"], stock: ["order", "payment"], payment: ["order", "stock"] };
/** Seconds: six times what the function may take, as AWS advises. */
const VISIBILITY = 60;
const MOST_RECEIVES = 12;
const FOURTEEN_DAYS = 1_209_600;
/** Seconds that a message may be old before somebody is told: far more than it takes, far less than a checkout's time. */
const OLD = 120;

module.exports = async ({ resolveVariable }) => {
  const [saga, service, stage, topic] = await Promise.all(
    ["param:saga", "self:service", "sls:stage", "param:alarmTopic"].map((name) => resolveVariable(name)),
  );
  if (saga !== "events") return { Resources: {} };
  const Resources = {};
  for (const name of SERVICES) {
    const [queue, dead] = [`${capital(name)}Queue`, `${capital(name)}DeadLetters`];
    const named = `${service}-${stage}-${name}`;
    Resources[dead] = {
      Type: "AWS::SQS::Queue",
      Properties: { QueueName: `${named}-dead`, MessageRetentionPeriod: FOURTEEN_DAYS, SqsManagedSseEnabled: true },
    };
    Resources[queue] = {
      Type: "AWS::SQS::Queue",
      Properties: {
        QueueName: named,
        VisibilityTimeout: VISIBILITY,
        RedrivePolicy: { deadLetterTargetArn: arn(dead), maxReceiveCount: MOST_RECEIVES },
        SqsManagedSseEnabled: true,
      },
    };
    Resources[`${capital(name)}QueuePolicy`] = {
      Type: "AWS::IAM::Policy",
      Properties: {
        PolicyName: `${name}-events`,
        Roles: [{ Ref: `${capital(name)}Role` }],
        PolicyDocument: {
          Version: "2012-10-17",
          Statement: [
            allow(
              ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"],
              arn(queue),
            ),
            allow(
              "sqs:SendMessage",
              TELLS[name].map((other) => arn(`${capital(other)}Queue`)),
            ),
          ],
        },
      },
    };
    Resources[`${queue}Old`] = alarm(
      topic,
      `Messages for ${name} have waited for more than ${OLD} s`,
      "ApproximateAgeOfOldestMessage",
      queue,
      OLD,
    );
    Resources[`${dead}Any`] = alarm(
      topic,
      `A message for ${name} could not be handled; npx shoplog queues shows it`,
      "ApproximateNumberOfMessagesVisible",
      dead,
      0,
    );
  }
  return { Resources };
};

function alarm(topic, AlarmDescription, MetricName, queue, Threshold) {
  return {
    Type: "AWS::CloudWatch::Alarm",
    Properties: {
      AlarmDescription,
      Namespace: "AWS/SQS",
      MetricName,
      Dimensions: [{ Name: "QueueName", Value: { "Fn::GetAtt": [queue, "QueueName"] } }],
      Statistic: "Maximum",
      Period: 60,
      EvaluationPeriods: 1,
      Threshold,
      ComparisonOperator: "GreaterThanThreshold",
      TreatMissingData: "notBreaching",
      AlarmActions: [{ "Fn::If": ["HasAlarmTopic", topic, { Ref: "AWS::NoValue" }] }],
    },
  };
}

function allow(action, resource) {
  return { Effect: "Allow", Action: action, Resource: resource };
}

function arn(id) {
  return { "Fn::GetAtt": [id, "Arn"] };
}

function capital(name) {
  return name[0].toUpperCase() + name.slice(1);
}
