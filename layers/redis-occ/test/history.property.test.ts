import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { OccError, OutcomeUnknownError, type View } from "../src/index.ts";
import type { Held } from "./support/proxy.ts";
import { EXEC } from "./support/commit-mode.ts";
import { stage } from "./support/stage.ts";

const on = stage();

const KEYS = ["a", "b", "c"];

/** How the proxy treats one EXEC. */
type Fate = "pass" | "lose it" | "lose its answer" | "deliver it late";

interface Step {
  readonly client: number;
  readonly keys: readonly string[];
  readonly amount: number;
  readonly alone: boolean;
  readonly timeout: number;
}

const steps = fc.array(
  fc.record({
    client: fc.nat(2),
    keys: fc.uniqueArray(fc.constantFrom(...KEYS), { minLength: 1, maxLength: 2 }),
    amount: fc.integer({ min: 1, max: 9 }),
    alone: fc.boolean(),
    timeout: fc.constantFrom(150, 3_000, 3_000, 3_000),
  }),
  { minLength: 5, maxLength: 40 },
);

const fates = fc.array(fc.constantFrom<Fate>("pass", "pass", "pass", "lose it", "lose its answer", "deliver it late"), {
  minLength: 5,
  maxLength: 60,
});

async function suffer(held: Held, fate: Fate): Promise<void> {
  switch (fate) {
    case "pass":
      return held.pass();
    case "lose it":
      return held.cut();
    case "lose its answer":
      await held.deliver();
      return held.cut();
    case "deliver it late":
      // Longer than the timeout of a round trip: the client has given up and fences it off before, while or after it
      // arrives.
      await new Promise((resolve) => setTimeout(resolve, 70));
      void held.deliver();
  }
}

/** Adds an amount to each key, and leaves a marker of its own, which tells whether it ran, and how often. */
function effect(id: number, { keys, amount }: Step) {
  return (view: View): { result: number; set: Record<string, number> } => {
    const ran = view.get<number>(`ran:${id}`) ?? 0;
    const set: Record<string, number> = { [`ran:${id}`]: ran + 1 };
    for (const key of keys) set[key] = (view.get<number>(key) ?? 0) + amount;
    return { result: id, set };
  };
}

test("random histories with connections cut at random: every answered effect is there exactly once, every retryable error left none, every unknown one at most once", async () => {
  await fc.assert(
    fc.asyncProperty(steps, fates, async (history, luck) => {
      await on.outside.flushall();
      const proxy = await on.proxy();
      const clients = [0, 1, 2].map(() => on.client({ url: proxy.url, roundTripTimeout: 50, connections: 3 }));
      let execs = 0;
      proxy.catchAll(EXEC, (held) => void suffer(held, luck[execs++] ?? "pass"));
      const ends = await Promise.all(
        history.map(async (step, id) => {
          const client = clients[step.client];
          if (client === undefined) throw new Error("no such client");
          for (let i = 0; i < id % 3; i++) await Promise.resolve();
          const run = step.alone ? client.transactAlone.bind(client) : client.transact.bind(client);
          return run([...step.keys, `ran:${id}`], effect(id, step), { timeout: step.timeout }).catch(
            (error: unknown) => error,
          );
        }),
      );
      // Whatever is still on its way arrives or never does.
      await new Promise((resolve) => setTimeout(resolve, 100));
      const sums = new Map(KEYS.map((key) => [key, 0]));
      for (const [id, end] of ends.entries()) {
        const ran = Number((await on.json(`ran:${id}`)) ?? 0);
        if (end === id) expect(ran).toBe(1);
        else if (end instanceof OutcomeUnknownError) expect([0, 1]).toContain(ran);
        else if (end instanceof OccError && end.retryable) expect(ran).toBe(0);
        else throw end;
        for (const key of history[id]?.keys ?? [])
          sums.set(key, (sums.get(key) ?? 0) + ran * (history[id]?.amount ?? 0));
      }
      for (const [key, sum] of sums) expect((await on.json(key)) ?? 0).toBe(sum);
      for (const client of clients) await client.close();
      await proxy.close();
    }),
    { numRuns: 25, endOnFailure: true },
  );
}, 60_000);
