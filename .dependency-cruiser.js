/** Which module may know which. The reasons are in the comments of the rules; `npx depcruise` prints them. */
export default {
  forbidden: [
    {
      name: "no-cycle",
      comment: "Modules that import each other in a circle can be neither understood nor tested alone.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "resolvable",
      comment: "An import that cannot be found would make every other rule blind to what is behind it.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "layers-know-no-shop",
      comment: "Each layer is useful to somebody who has never heard of orders.",
      severity: "error",
      from: { path: "^layers/" },
      to: { path: "^(functions|host|bench|deploy|test|tools)/" },
    },
    {
      name: "redis-occ-knows-no-log",
      comment: "Transactions work without a log; the log takes part through the hook.",
      severity: "error",
      from: { path: "^layers/redis-occ/" },
      to: { path: ["^layers/log-replay/", "(^|/)node_modules/log-replay"] },
    },
    {
      name: "layers-by-name",
      comment: "In Lambda a layer is a package in /opt/nodejs/node_modules: a path into its sources does not exist there.",
      severity: "error",
      from: { path: "^(functions|host|tools|layers/log-replay/src)/", pathNot: "/test/" },
      to: { path: "^layers/([^/]+)/src/", pathNot: "^layers/log-replay/src/", dependencyTypes: ["local"] },
    },
    {
      name: "pure-rules",
      comment: "The rules of the domain are pure functions over plain data: time, Redis, files and HTTP come in from outside.",
      severity: "error",
      from: { path: "^functions/(stock|payment|order)/(items|reservations|users|charges|orders|sagas)[.]ts$" },
      to: { path: ["(^|/)node_modules/(ioredis|redis-occ|log-replay|@middy)(/|$)", "^layers/"] },
    },
    {
      name: "pure-rules-no-node",
      comment: "As pure-rules: nothing of the platform either.",
      severity: "error",
      from: { path: "^functions/(stock|payment|order)/(items|reservations|users|charges|orders|sagas)[.]ts$" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "sources-know-no-tests",
      comment: "What runs in production does not depend on test support.",
      severity: "error",
      from: { pathNot: "(^|/)test/" },
      to: { path: "(^|/)test/" },
    },
  ],
  options: {
    doNotFollow: { path: ["node_modules", "/dist/"] },
    exclude: { path: ["[.]esbuild", "[.]serverless", "[.]data"] },
    // Types count too: a circle of types is a circle.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.check.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "types", "default"] },
  },
};
