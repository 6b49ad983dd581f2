/** A file system without hard links, as exFAT and some network ones are: a store is made, by many at once, and compacted. */
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

fs.link = () => Promise.reject(Object.assign(new Error("EPERM: operation not permitted, link"), { code: "EPERM" }));
syncBuiltinESMExports();

const { compact, createFileStore, openFileStore, stateAt } = await import("../../src/index.ts");
const { append, begun, entry, textOf } = await import("./logs.ts");
const folder = process.argv[2] ?? "";
const ids = await Promise.all(Array.from({ length: 20 }, async () => (await createFileStore(folder)).id));
const store = await openFileStore({ folder });
await begun(store, 1);
await append(store, 1, [entry(1, 1, { a: 1 })], [entry(1, 2, { b: 2 })]);
const compacted = await Promise.all([1, 2, 3].map(async () => compact(await openFileStore({ folder }))));
console.log(
  JSON.stringify({
    identities: new Set([...ids, store.id]).size,
    snapshots: [...new Set(compacted.map(({ snapshot }) => snapshot?.n))],
    state: textOf(await stateAt(store)),
    files: (await fs.readdir(folder)).filter((name) => /draft|being-made|store\.json\./.test(name)),
  }),
);
