import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  {
    ignores: [
      "**/node_modules/",
      "**/dist/",
      "**/.serverless/",
      "**/.esbuild/",
      "**/.data/",
      "**/.layers/",
      "**/.packages/",
      "**/.stryker-tmp/",
      "**/.emulator/",
      "**/coverage/",
    ],
  },
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  js.configs.recommended,
  {
    files: ["**/*.ts", "**/*.tsx"],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        project: ["./tsconfig.check.json", "./console/client/tsconfig.json"],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      // What these two find is a lost error: a promise that nobody waits for.
      "@typescript-eslint/no-floating-promises": ["error", { ignoreVoid: true }],
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/return-await": ["error", "error-handling-correctness-only"],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      eqeqeq: "error",

      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowNullish: true, allowBoolean: true },
      ],
      "@typescript-eslint/no-confusing-void-expression": "off",
      "@typescript-eslint/no-meaningless-void-operator": "off",
      // A type parameter that only the result has is how a caller names the type of stored JSON: `view.get<Item>(key)`.
      "@typescript-eslint/no-unnecessary-type-parameters": "off",
      // A hook or a port may be asynchronous by its type and have nothing to wait for.
      "@typescript-eslint/require-await": "off",
      // Errors of rules and hooks are passed on as they came.
      "@typescript-eslint/only-throw-error": ["error", { allowThrowingUnknown: true, allowRethrowing: true }],
      "@typescript-eslint/prefer-promise-reject-errors": ["error", { allowThrowingUnknown: true }],
      "@typescript-eslint/use-unknown-in-catch-callback-variable": "error",
      // One name, one thing, within a function too.
      "@typescript-eslint/no-shadow": ["error", { allow: ["_"] }],
    },
  },
  {
    files: ["functions/**/*.ts", "host/**/*.ts", "tools/**/*.ts", "layers/*/src/**/*.ts"],
    rules: {
      // In Lambda a layer is a package in /opt/nodejs/node_modules: a path into its sources does not exist there.
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            { regex: "(layers|redis-occ|log-replay)/(.*/)?src/", message: "import a layer by its package's name" },
          ],
        },
      ],
    },
  },
  {
    files: ["**/test/**/*.ts"],
    rules: {
      "no-restricted-imports": "off",
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/unbound-method": "off",
      "@typescript-eslint/no-empty-function": "off",
    },
  },
  {
    files: ["**/*.js", "**/*.mjs", "**/*.cjs"],
    languageOptions: {
      globals: {
        __dirname: "readonly",
        require: "readonly",
        process: "readonly",
        console: "readonly",
        URL: "readonly",
        fetch: "readonly",
        setTimeout: "readonly",
        clearTimeout: "readonly",
      },
    },
  },
);
