/** Tests are TypeScript, run as ES modules; swc only strips the types. */
const project = (name, match, globals = {}) => ({
  displayName: name,
  testMatch: [`<rootDir>/${match}`],
  testEnvironment: "node",
  globals,
  extensionsToTreatAsEsm: [".ts"],
  transform: {
    "^.+\\.ts$": ["@swc/jest", { jsc: { parser: { syntax: "typescript" }, target: "es2024" }, module: { type: "es6" } }],
  },
});

export default {
  maxWorkers: 2,
  testTimeout: 30_000,
  projects: [
    project("layers", "layers/*/test/**/*.test.ts"),
    project("layers-script", "layers/*/test/**/*.test.ts", { commitMode: "script" }),
    project("functions", "functions/*/test/**/*.test.ts"),
    project("host", "host/test/**/*.test.ts"),
    project("bench", "bench/test/**/*.test.ts"),
    project("model", "model/test/**/*.test.ts"),
    project("tools", "tools/test/**/*.test.ts"),
    project("shop", "test/**/*.test.ts"),
    // The same tests on the host of `npm run serve`.
    { ...project("serve", "test/**/*.test.ts"), setupFiles: ["<rootDir>/host/test/support/on-serve.ts"] },
  ],
};
