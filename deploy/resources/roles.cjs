"use strict";
/** Two roles for each service: its own output and its own log; and the same with the secret, for who signs or checks signatures. */
const { SERVICES } = require("../services.cjs");

module.exports = async ({ resolveVariable }) => {
  const [service, stage, subnets, logStore, collectorsHeaders] = await Promise.all(
    ["self:service", "sls:stage", "param:subnetIds", "param:logStore", "param:otlpHeadersSecret"].map((name) =>
      resolveVariable(name),
    ),
  );
  const account = "${AWS::Region}:${AWS::AccountId}";

  const role = async (name, more) => {
    const bucket = { "Fn::GetAtt": [`${capital(name)}Log`, "Arn"] };
    const statements = [
      allow(["logs:CreateLogStream", "logs:PutLogEvents"], {
        "Fn::Sub": `arn:\${AWS::Partition}:logs:${account}:log-group:/aws/lambda/${service}-${stage}-${name}-*`,
      }),
      ...more,
    ];
    if (collectorsHeaders !== "") statements.push(allow("secretsmanager:GetSecretValue", collectorsHeaders));
    if (logStore === "efs") {
      const accessPoint = await resolveVariable(`param:efsAccessPoint${capital(name)}`);
      statements.push({
        ...allow(["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"], "*"),
        Condition: { StringEquals: { "elasticfilesystem:AccessPointArn": accessPoint } },
      });
    } else {
      statements.push(
        allow(["s3:GetObject", "s3:PutObject"], join(bucket, `/${name}/*`)),
        // Compaction deletes what a snapshot has. Claims, begins and the store's identity stay.
        allow("s3:DeleteObject", [join(bucket, `/${name}/segment-*`), join(bucket, `/${name}/snapshot-*`)]),
        // Not only for its prefix: with that condition S3 answers 403 instead of 404 to whoever looks for an object
        // that is not there.
        allow("s3:ListBucket", bucket),
      );
    }
    if (subnets !== "") {
      statements.push(
        allow(
          [
            "ec2:CreateNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:DeleteNetworkInterface",
            "ec2:AssignPrivateIpAddresses",
            "ec2:UnassignPrivateIpAddresses",
          ],
          "*",
        ),
      );
    }
    return {
      Type: "AWS::IAM::Role",
      Properties: {
        AssumeRolePolicyDocument: {
          Version: "2012-10-17",
          Statement: [{ Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" }],
        },
        Policies: [{ PolicyName: name, PolicyDocument: { Version: "2012-10-17", Statement: statements } }],
      },
    };
  };
  const readSecret = allow("secretsmanager:GetSecretValue", { Ref: "InternalSecret" });
  const Resources = {};
  for (const name of SERVICES) {
    Resources[`${capital(name)}Role`] = await role(name, []);
    Resources[`${capital(name)}SigningRole`] = await role(name, [readSecret]);
  }
  return { Resources };
};

function allow(action, resource) {
  return { Effect: "Allow", Action: action, Resource: resource };
}

function join(...parts) {
  return { "Fn::Join": ["", parts] };
}

function capital(name) {
  return name[0].toUpperCase() + name.slice(1);
}
