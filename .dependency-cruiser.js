import { SERVICES } from "./functions/settings/services.ts";

const services = SERVICES.join("|");

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
      to: { path: "^(console|functions|host|bench|deploy|test|tools)/" },
    },
    {
      name: "redis-occ-knows-no-log",
      comment: "Transactions work without a log; the log takes part through the hook.",
      severity: "error",
      from: { path: "^layers/redis-occ/" },
      to: { path: ["^layers/log-replay/", "(^|/)node_modules/log-replay"] },
    },
    ...["format", "redis", "stores", "read", "recover", "commit", "compact"].map((room, floor, rooms) => ({
      name: `log-replay-${room}`,
      comment: "The rooms of log-replay stand on each other in this order: docs/architecture.md.",
      severity: "error",
      from: { path: `^layers/log-replay/src/${room}/` },
      to: {
        path: `^layers/log-replay/src/(${[...rooms.slice(floor + 1).filter((other) => other !== "compact" || room !== "commit"), "tools"].join("|")})/`,
      },
    })),
    {
      name: "command-line-apart",
      comment: "What a program loads of log-replay is not to grow by what people at a terminal need.",
      severity: "error",
      from: { path: "^layers/log-replay/src/(?!cli/)" },
      to: { path: "^layers/log-replay/src/cli/" },
    },
    {
      name: "conformance-is-for-tests",
      comment: "What a store has to pass is no part of what runs on it, and stands on the port alone.",
      severity: "error",
      from: { path: "^layers/log-replay/src/(?!conformance/)" },
      to: { path: "^layers/log-replay/src/conformance/" },
    },
    {
      name: "conformance-knows-the-port",
      comment: "As conformance-is-for-tests: what it asks, any store can be asked.",
      severity: "error",
      from: { path: "^layers/log-replay/src/conformance/" },
      to: {
        path: "^layers/log-replay/src/",
        pathNot: "^layers/log-replay/src/(conformance/|errors[.]ts$|stores/store[.]ts$)",
      },
    },
    {
      name: "two-kinds-of-store",
      comment: "Files and S3 are twins behind one port: neither knows the other.",
      severity: "error",
      from: { path: "^layers/log-replay/src/stores/(file|s3)/" },
      to: { path: "^layers/log-replay/src/stores/(file|s3)/", pathNot: "^layers/log-replay/src/stores/$1/" },
    },
    ...["settings", "http", "state", "calls", "handler", "events"].map((room, floor, rooms) => ({
      name: `functions-${room}`,
      comment: "What the routes share stands on each other in this order, and knows no service: docs/architecture.md.",
      severity: "error",
      from: { path: `^functions/${room}/`, pathNot: "/test/" },
      to: { path: `^functions/(${[...rooms.slice(floor + 1), services].join("|")})/` },
    })),
    {
      name: "services-know-no-other",
      comment: "Services share nothing but HTTP.",
      severity: "error",
      from: { path: `^functions/(${services})/`, pathNot: "/test/" },
      to: { path: `^functions/((${services})/|services[.]ts$)`, pathNot: "^functions/$1/" },
    },
    {
      name: "functions-know-no-host",
      comment: "A function runs on every host, and in Lambda on none of these.",
      severity: "error",
      from: { path: "^functions/", pathNot: "/test/" },
      to: { path: "^host/" },
    },
    {
      name: "shop-knows-no-surroundings",
      comment: "The shop runs without what measures, deploys, models or shows it.",
      severity: "error",
      from: { path: "^(functions|host)/", pathNot: "/test/" },
      to: { path: "^(bench|deploy|examples|model|tools)/" },
    },
    {
      name: "model-knows-the-rules",
      comment: "The model explores the rules and the protocol, and nothing that runs them.",
      severity: "error",
      from: { path: "^model/" },
      to: { path: "^(console|host|bench|deploy|examples|test|tools)/" },
    },
    {
      name: "examples-know-no-shop",
      comment: "The examples show the layers to somebody who has never heard of orders.",
      severity: "error",
      from: { path: "^examples/" },
      to: { path: "^(console|functions|host|bench|deploy|model|test|tools)/" },
    },
    {
      name: "console-page",
      comment: "The page runs in a browser: of the server it knows what it answers, as types.",
      severity: "error",
      from: { path: "^console/client/" },
      to: { path: "^(console/server|functions|host|tools|layers)/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "console-apart",
      comment: "The console is for who asks for it: the functions and the host load nothing of it.",
      severity: "error",
      from: { path: "^(functions|host)/", pathNot: "/test/" },
      to: { path: "^console/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "declared",
      comment: "A package that no package.json names is there by accident.",
      severity: "error",
      // The layers' tests run with what the whole project installs for its tests.
      from: { pathNot: "^layers/[^/]+/test/" },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown"] },
    },
    {
      name: "pure-rules",
      comment:
        "The rules of the domain are pure functions over plain data: time, Redis, files and HTTP come in from outside.",
      severity: "error",
      from: { path: `^functions/(${services})/(items|reservations|users|charges|orders|sagas)[.]ts$` },
      to: { path: ["(^|/)node_modules/(ioredis|redis-occ|log-replay|@middy)(/|$)", "^layers/"] },
    },
    {
      name: "pure-rules-no-node",
      comment: "As pure-rules: nothing of the platform either.",
      severity: "error",
      from: { path: `^functions/(${services})/(items|reservations|users|charges|orders|sagas)[.]ts$` },
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
