"use strict";
/**
 * In a network (`vpcId`, `subnetIds`): the functions' security group, and, where no `redisUrl…` is given, a Valkey for
 * each service that only that group reaches. It has no replicas or snapshots, because it is a copy that the log brings
 * back.
 * Without a network: nothing.
 */
const readNetwork = require("../network.cjs");
const { TITLES: SERVICES } = require("../services.cjs");
const PORT = 6379;

module.exports = async ({ resolveVariable }) => {
  const { vpcId, subnetIds, makesCaches } = await readNetwork({ resolveVariable });
  if (vpcId === "") return {};
  const functionGroup = {
    Type: "AWS::EC2::SecurityGroup",
    Properties: { GroupDescription: "The functions of the shop", VpcId: vpcId },
  };
  return {
    Resources: {
      FunctionSecurityGroup: functionGroup,
      ...(makesCaches ? caches(vpcId, subnetIds, await resolveVariable("param:cacheNodeType")) : {}),
    },
  };
};

function caches(vpcId, subnetIds, nodeType) {
  const cache = {
    Type: "AWS::ElastiCache::ReplicationGroup",
    Properties: {
      ReplicationGroupDescription: "The state of one service of the shop",
      Engine: "valkey",
      CacheNodeType: nodeType,
      NumCacheClusters: 1,
      AutomaticFailoverEnabled: false,
      TransitEncryptionEnabled: true,
      AtRestEncryptionEnabled: true,
      CacheParameterGroupName: { Ref: "CacheParameters" },
      CacheSubnetGroupName: { Ref: "CacheSubnets" },
      SecurityGroupIds: [{ "Fn::GetAtt": ["CacheSecurityGroup", "GroupId"] }],
      SnapshotRetentionLimit: 0,
    },
  };
  return {
    CacheSecurityGroup: {
      Type: "AWS::EC2::SecurityGroup",
      Properties: {
        GroupDescription: "The caches of the shop",
        VpcId: vpcId,
        SecurityGroupIngress: [
          {
            IpProtocol: "tcp",
            FromPort: PORT,
            ToPort: PORT,
            SourceSecurityGroupId: { "Fn::GetAtt": ["FunctionSecurityGroup", "GroupId"] },
          },
        ],
      },
    },
    CacheSubnets: {
      Type: "AWS::ElastiCache::SubnetGroup",
      Properties: { Description: "Where the caches of the shop are", SubnetIds: subnetIds },
    },
    CacheParameters: {
      Type: "AWS::ElastiCache::ParameterGroup",
      // The guard of the state must be there exactly while the state is, so nothing may be evicted.
      Properties: {
        CacheParameterGroupFamily: "valkey8",
        Description: "The caches of the shop",
        Properties: { "maxmemory-policy": "noeviction" },
      },
    },
    ...Object.fromEntries(SERVICES.map((service) => [`${service}Cache`, cache])),
  };
}
