/** Tests are TypeScript, run as ES modules; swc only strips the types. */
const project = (name, match, globals = {}) => ({
  displayName: name,
  testMatch: [`<rootDir>/${match}`],
  testEnvironment: "node",
  globals,
  extensionsToTreatAsEsm: [".ts"],
  // What is built for publication, and a copy in which mutants are tried, have the names of the layers.
  modulePathIgnorePatterns: ["<rootDir>/.packages/", "<rootDir>/.stryker-tmp/"],
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      {
        jsc: { parser: { syntax: "typescript" }, target: "es2024", experimental: { keepImportAttributes: true } },
        module: { type: "es6" },
      },
    ],
  },
});

/** `npm run test:local`: what can be asked of a shop that is deployed somewhere, through its base URL; and what needs an S3. */
const deployed = [
  project("deployed", "test/{contract,raw-requests}.test.ts"),
  project("s3", "layers/log-replay/test/stores/s3-*.test.ts"),
  project("deployed-faults", "deploy/test/deployed/**/*.test.ts"),
];

const all = [
  {
    ...project("layers", "layers/*/test/**/*.test.ts"),
    testPathIgnorePatterns: ["/s3-[a-z]+\\.test\\.ts$", "/crowd\\.test\\.ts$"],
  },
  // A hundred processes leave no time to a test beside them, so `npm test` runs it by itself.
  project("crowd", "layers/log-replay/test/recover/crowd.test.ts"),
  // What rests on how a transaction is committed, once more by the script.
  project(
    "layers-script",
    "layers/{redis-occ/test/*,log-replay/test/{commit/{answers,expiry,failed-append,lost-exec,processes},recover/{missing-state,positions,replay,sealed-epochs}}}.test.ts",
    { commitMode: "script" },
  ),
  project("functions", "functions/*/test/**/*.test.ts"),
  project("host", "host/test/**/*.test.ts"),
  project("deploy", "deploy/test/*.test.ts"),
  project("bench", "bench/test/**/*.test.ts"),
  project("model", "model/test/**/*.test.ts"),
  project("console", "console/test/**/*.test.ts"),
  project("tools", "tools/test/**/*.test.ts"),
  project("examples", "examples/test/**/*.test.ts"),
  {
    ...project("shop", "test/**/*.test.ts"),
    testPathIgnorePatterns: ["/test/queues[.]test", "/test/crash/events[.]test"],
  },
  // The same on the host of `npm run serve`.
  {
    ...project("serve", "test/{contract,races,raw-requests,restart}.test.ts"),
    setupFiles: ["<rootDir>/host/test/support/on-serve.ts"],
  },
  // And with checkouts by events.
  {
    ...project("events", "test/{contract,races,restart,queues,crash/events}.test.ts"),
    setupFiles: ["<rootDir>/host/test/support/on-serve.ts", "<rootDir>/host/test/support/by-events.ts"],
  },
];

export default {
  maxWorkers: 2,
  // It ends what hangs, and is no promise: a machine that is busy with something else may take a minute for anything.
  testTimeout: 120_000,
  projects: process.env.SHOP_DEPLOYED ? deployed : all,
};
