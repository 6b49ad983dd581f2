"use strict";
/** A plugin for serverless.yml: functions that answer events are there only where checkouts go by events (`saga`). */
module.exports = class Events {
  constructor(serverless) {
    this.hooks = {
      // By then the variables are resolved, and nobody has looked at the functions yet.
      initialize: () => {
        const { functions, custom } = serverless.service;
        if (custom.deployment.saga === "events") return;
        for (const [name, { events = [] }] of Object.entries(functions))
          if (events.some(isQueue)) delete functions[name];
      },
      "after:aws:package:finalize:mergeCustomProviderResources": () =>
        awaitPolicies(serverless.service.provider.compiledCloudFormationTemplate.Resources),
    };
  }
};

const isQueue = ({ sqs }) => sqs !== undefined;

/** Lambda looks whether a function may read a queue when the two are connected. */
function awaitPolicies(resources) {
  const policies = Object.keys(resources).filter((id) => id.endsWith("QueuePolicy"));
  for (const resource of Object.values(resources)) {
    if (resource.Type !== "AWS::Lambda::EventSourceMapping") continue;
    resource.DependsOn = [...new Set([resource.DependsOn ?? []].flat().concat(policies))];
  }
}
