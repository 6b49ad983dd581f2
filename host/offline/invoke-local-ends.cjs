"use strict";
/**
 * A plugin for serverless.yml: `serverless invoke local` ends when the function has answered. A function keeps its
 * connections for the next call. In a Lambda, which is frozen, nobody waits for them; here they would keep the process
 * alive.
 */
module.exports = class InvokeLocalEnds {
  constructor(serverless) {
    const isInvokeLocal = () => serverless.processedInput.commands.join(" ") === "invoke local";
    // The last hook of a command: the answer is printed, and the other plugins have cleaned up. The exit code is set where the function threw.
    this.hooks = { finalize: () => void (isInvokeLocal() && process.exit()) };
  }
};
