"use strict";
/**
 * What the parameters say of the network, and by which address each service reaches its Redis. Decided while the template is
 * made, not by conditions in it: an emulator looks into resources whose condition is false, too.
 */
const { TITLES: SERVICES } = require("./services.cjs");

module.exports = async ({ resolveVariable }) => {
  const [vpcId, subnetIds, ...given] = await Promise.all(
    ["vpcId", "subnetIds", ...SERVICES.map((service) => `redisUrl${service}`)].map((name) =>
      resolveVariable(`param:${name}`),
    ),
  );
  const makesCaches = vpcId !== "" && given.every((url) => url === "");
  const cacheUrl = (service) => ({
    "Fn::Join": ["", ["rediss://", { "Fn::GetAtt": [`${service}Cache`, "PrimaryEndPoint.Address"] }, ":6379"]],
  });
  return {
    vpcId,
    subnetIds: subnetIds
      .split(",")
      .map((subnet) => subnet.trim())
      .filter(Boolean),
    makesCaches,
    redisUrls: Object.fromEntries(
      SERVICES.map((service, index) => [service, makesCaches ? cacheUrl(service) : given[index]]),
    ),
  };
};
