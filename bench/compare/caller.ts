/** A process of `npm run compare`: adds for a while, and says how often it was told that it had. */
import { CONTESTANTS } from "./contestants.ts";

const [name, url = "", callers = "1", keys = "own", milliseconds = "1000", id = "0"] = process.argv.slice(2);
const contestant = CONTESTANTS.find((one) => one.name === name);
if (contestant === undefined) throw new Error(`nobody is called ${name}`);

const counter = await contestant.open(url);
// Connections are open, and the code has been run once.
await counter.add(`warm:${id}`, `warm:${id}`);
const end = performance.now() + Number(milliseconds);
let [done, refused] = [0, 0];
await Promise.all(
  Array.from({ length: Number(callers) }, async (_, i) => {
    const key = keys === "one" ? "n:hot" : `n:${id}:${i}`;
    for (let call = 0; performance.now() < end; call++)
      await counter.add(key, `${id}:${i}:${call}`).then(
        () => done++,
        () => refused++,
      );
  }),
);
await counter.close();
process.stdout.write(`${JSON.stringify({ done, refused })}\n`);
process.exit();
