"use strict";
/**
 * A plugin for serverless.yml, for the stages that are deployed: builds the layers, and puts into the template what
 * serverless.yml has no words for.
 */
const { buildLayers } = require("./layers.cjs");
const { addPreflights } = require("./preflights.cjs");
const { checkSettings } = require("./settings.cjs");

/** What a checkout in progress and its rollback need: they must not wait behind the public traffic. */
const SAGA_FUNCTIONS =
  /-(order-checkout|stock-reserve|stock-release|payment-charge|payment-refund|(order|stock|payment)-on-events)$/;

module.exports = class Deployment {
  #serverless;

  constructor(serverless) {
    this.#serverless = serverless;
    this.hooks = {
      "before:package:initialize": () => this.#layers(),
      // What `resources` of serverless.yml has is in the template from here on.
      "after:aws:package:finalize:mergeCustomProviderResources": () => this.#template(),
      "before:deploy:deploy": () => this.#requireRedis(),
      "before:remove:remove": () => this.#withoutImages(),
    };
  }

  get #parameter() {
    return this.#serverless.service.custom.deployment;
  }

  async #layers() {
    const { service } = this.#serverless;
    if (this.#parameter.platform === "lambda") checkSettings(service.provider.environment);
    addPreflights(service.functions, this.#parameter.corsOrigins);
    if (this.#parameter.packaging === "apart") await buildLayers();
    if (this.#serverless.processedInput.commands[0] === "deploy") return;
    // AWS is asked whether a layer is deployed already; packing alone needs no account.
    this.#plugin("AwsCompileLayers").compareWithLastLayer = async () => undefined;
  }

  /** After a removal the framework looks for container images: the shop has none, and an emulator may not know of any. */
  #withoutImages() {
    this.#plugin("AwsRemove").checkIfEcrRepositoryExists = async () => false;
  }

  /** One of the framework's own. */
  #plugin(name) {
    return this.#serverless.pluginManager.plugins.find((plugin) => plugin.constructor.name === name);
  }

  #template() {
    const { Resources: resources } = this.#serverless.service.provider.compiledCloudFormationTemplate;
    const { platform, throttleRate, throttleBurst } = this.#parameter;
    if (platform !== "lambda") return;
    for (const [id, { Type: type, Properties: properties }] of Object.entries(resources)) {
      if (type === "AWS::ApiGateway::Deployment") {
        // A deployment has what was there when it was made, so the gateway's own answers must come before it.
        const answers = Object.keys(resources).filter(
          (other) => resources[other].Type === "AWS::ApiGateway::GatewayResponse",
        );
        resources[id].DependsOn = [...(resources[id].DependsOn ?? []), ...answers];
        properties.StageDescription = {
          MetricsEnabled: true,
          ThrottlingRateLimit: Number(throttleRate),
          ThrottlingBurstLimit: Number(throttleBurst),
        };
      }
      if (type === "AWS::Lambda::Function") this.#place(id, resources[id]);
    }
  }

  /** Its share of the account's concurrency, its place in the network, and its service's folder. */
  #place(id, { Properties: properties }) {
    const { sagaConcurrency, subnetIds, logStore } = this.#parameter;
    if (Number(sagaConcurrency) > 0 && SAGA_FUNCTIONS.test(properties.FunctionName))
      properties.ReservedConcurrentExecutions = Number(sagaConcurrency);
    if (subnetIds !== "") {
      properties.VpcConfig = {
        SubnetIds: subnetIds.split(","),
        SecurityGroupIds: [{ "Fn::GetAtt": ["FunctionSecurityGroup", "GroupId"] }],
      };
    }
    if (logStore !== "efs") return;
    const service = /^[A-Z][a-z]+/.exec(id)[0];
    const accessPoint = this.#parameter[`efsAccessPoint${service}`];
    if (!accessPoint) throw new Error(`logStore is efs, and efsAccessPoint${service} is not set`);
    properties.FileSystemConfigs = [{ Arn: accessPoint, LocalMountPath: "/mnt/shop" }];
  }

  #requireRedis() {
    const { vpcId, subnetIds, redisUrlOrder, redisUrlStock, redisUrlPayment } = this.#parameter;
    const given = [redisUrlOrder, redisUrlStock, redisUrlPayment].filter(Boolean).length;
    if (given === 3 || (given === 0 && vpcId && subnetIds)) return;
    throw new Error(
      "the services need Redis: give redisUrlOrder, redisUrlStock and redisUrlPayment, or vpcId and subnetIds for caches of the stack's own (docs/deploy.md)",
    );
  }
};
