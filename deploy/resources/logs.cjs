"use strict";
/** A bucket for the log of each service. The log is the shop itself, so it outlives the stack. */
const { TITLES: SERVICES } = require("../services.cjs");

module.exports = async () => {
  const resources = {};
  const outputs = {};
  for (const service of SERVICES) {
    const id = `${service}Log`;
    const bucket = { "Fn::GetAtt": [id, "Arn"] };
    const objects = { "Fn::Join": ["", [bucket, "/*"]] };
    resources[id] = {
      Type: "AWS::S3::Bucket",
      Condition: "LogsInS3",
      DeletionPolicy: "Retain",
      UpdateReplacePolicy: "Retain",
      Properties: {
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        OwnershipControls: { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" }] },
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" } }],
        },
      },
    };
    resources[`${id}Policy`] = {
      Type: "AWS::S3::BucketPolicy",
      Condition: "SecuresLogs", // an emulator speaks plain HTTP
      Properties: {
        Bucket: { Ref: id },
        PolicyDocument: {
          Version: "2012-10-17",
          Statement: [
            deny("s3:*", [bucket, objects], { Bool: { "aws:SecureTransport": "false" } }),
            // What was written is never written again, whoever asks for it.
            deny("s3:PutObject", objects, { Null: { "s3:if-none-match": "true" } }),
          ],
        },
      },
    };
    outputs[id] = { Condition: "LogsInS3", Value: { Ref: id } };
  }
  return { Resources: resources, Outputs: outputs };
};

function deny(action, resource, condition) {
  return { Effect: "Deny", Principal: "*", Action: action, Resource: resource, Condition: condition };
}
