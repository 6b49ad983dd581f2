"use strict";
/**
 * A plugin for serverless.yml: `serverless invoke local` ends when the function has answered. A function keeps its
 * connections for the next call, as it does in a Lambda, which is frozen and not waited for; here they would hold the process.
 */
module.exports = class InvokeLocalEnds {
  constructor(serverless) {
    const isInvokeLocal = () => serverless.processedInput.commands.join(" ") === "invoke local";
    // The last hook of a command: the answer is printed, and the other plugins have cleaned up. The exit code is set where the function threw.
    this.hooks = { finalize: () => void (isInvokeLocal() && process.exit()) };
  }
};
