import { setTimeout as sleep } from "node:timers/promises";
import type { LogStore, SegmentWriter } from "../../src/index.ts";

/** What costs a store that is far away no request: a look at one's own files, and their end. */
const FREE = new Set(["verify", "roll", "close"]);

/** The real store, which counts what is asked of it and takes `milliseconds` more for each. */
export function counted(store: LogStore, milliseconds: number): { readonly store: LogStore; asked(): number } {
  let asked = 0;
  const request = async (): Promise<void> => {
    asked++;
    if (milliseconds > 0) await sleep(milliseconds);
  };
  return { store: inFront(store, request), asked: () => asked };
}

function inFront<T extends LogStore | SegmentWriter>(target: T, request: () => Promise<void>): T {
  return new Proxy(target, {
    get(_, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      const ask = member.bind(target) as (...args: unknown[]) => unknown;
      if (FREE.has(String(name))) return ask;
      if (name === "createSegment")
        return (...args: unknown[]): SegmentWriter => inFront(ask(...args) as SegmentWriter, request);
      if (name === "read" || name === "readSnapshot")
        return async function* (...args: unknown[]) {
          await request();
          yield* ask(...args) as AsyncIterable<Buffer>;
        };
      return async (...args: unknown[]) => {
        await request();
        return ask(...args);
      };
    },
  });
}
