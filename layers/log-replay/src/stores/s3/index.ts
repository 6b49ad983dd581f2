/**
 * The log in S3: `import { openS3Store } from "log-replay/s3"`. It has a subpath of its own, so that whoever keeps the
 * log in files does not load it.
 */
export { createS3Store, openS3Store, type S3StoreOptions } from "./store.ts";
export type { BucketOptions, Credentials } from "./bucket.ts";
