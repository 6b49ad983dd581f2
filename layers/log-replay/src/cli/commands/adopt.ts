import { adopt as takeOver } from "../../tools/adopt.ts";
import { openOne } from "../logs.ts";
import { createNamed, namedLogs } from "../named-logs.ts";
import { ofRedis } from "../of-redis.ts";
import { count, print } from "../output.ts";
import { command } from "../program.ts";

export const adopt = command({
  name: "adopt",
  arguments: "<log>",
  what: "makes what a Redis holds already the first state of a new log: strings of JSON, with --hashes hashes of it too. Nobody may write to it meanwhile",
  examples: ["adopt seats-log --redis redis://127.0.0.1:6379"],
  options: {
    redis: { argument: "url", what: "the Redis that holds the data", isRequired: true },
    hashes: { what: "keys may hold hashes; without it none may" },
    expiry: { what: "keys keep the times that they have to live; without it none may have one" },
  },
  async run([name = ""], { redis, expiry = false, hashes = false }) {
    await createNamed(name);
    const { store } = await openOne(namedLogs, name);
    const { keys } = await ofRedis({ name }, redis, () => takeOver({ url: redis, store, expiry, hashes }));
    await print(`${name}  adopted: ${count(keys, "key")}`);
  },
});
