/** Commits to Redis ARGV[1] and the log in folder ARGV[2] until the file system takes no more, then prints what it was told. */
import { LoggedRedis, openFileStore } from "../../src/index.ts";

const [url, folder] = process.argv.slice(2) as [string, string];
const state = new LoggedRedis({ url, store: await openFileStore({ folder }) });
const answered: number[] = [];
const errors: string[] = [];
// A file may have 24 KiB here, so a segment is soon full; a small file of a new epoch is not, until it is full too.
for (let i = 0; i < 40; i++) {
  try {
    await state.occ.transact(
      ["ids"],
      (view) => ({ result: 0, set: { ids: [...(view.get<number[]>("ids") ?? []), i], padding: "x".repeat(1_500) } }),
      { timeout: 2_000 },
    );
    answered.push(i);
  } catch (error) {
    errors.push((error as Error).name);
  }
}
console.log(JSON.stringify({ answered, errors }));
process.exit(0);
