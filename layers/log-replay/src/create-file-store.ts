/**
 * `import { createFileStore } from "log-replay/create-file-store"`: a program that only makes a store loads nothing
 * else of this package.
 */
export { createFileStore } from "./stores/file/identity.ts";
