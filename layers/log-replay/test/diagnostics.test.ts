import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { expect, test } from "@jest/globals";
import type { AppendMessage, RestoreMessage } from "../src/index.ts";
import { add, stage } from "./support/stage.ts";

const on = stage();

test("what is told of restores and appends has the name that the state was given, and its store", async () => {
  const told: { channel: unknown; name: string | undefined; store: string }[] = [];
  const hear = (message: unknown, channel: unknown): void => {
    const { name, store } = message as AppendMessage | RestoreMessage;
    told.push({ channel, name, store });
  };
  for (const channel of ["log-replay:append", "log-replay:restore"]) {
    subscribe(channel, hear);
    on.after(() => unsubscribe(channel, hear));
  }
  const seen = async (name?: string) => {
    told.length = 0;
    const store = await on.store();
    await on.outside.flushall();
    const state = on.open({ store, ...(name === undefined ? {} : { name }) });
    await state.occ.transact(["n"], add("n", 7));
    await state.close();
    expect(new Set(told.map(({ channel }) => channel))).toEqual(new Set(["log-replay:append", "log-replay:restore"]));
    expect(new Set(told.map((message) => message.store))).toEqual(new Set([store.id]));
    return [...new Set(told.map((message) => message.name))];
  };
  expect(await seen("stock")).toEqual(["stock"]);
  expect(await seen()).toEqual([undefined]);
});
