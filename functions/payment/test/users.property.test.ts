import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { MAX_AMOUNT } from "../../numbers.ts";
import { Refusal } from "../../errors.ts";
import { charge, forget, refund, type ChargeChanges, type Charge } from "../charges.ts";
import { addFunds, newUser, pay, type User } from "../users.ts";

const anAmount = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: MAX_AMOUNT - 20, max: MAX_AMOUNT }));
const start = fc.oneof(fc.integer({ min: 0, max: 30 }), fc.integer({ min: MAX_AMOUNT - 30, max: MAX_AMOUNT }));
const saga = fc.constantFrom("s1", "s2", "s3", "s4");

type Action =
  | { readonly do: "add" | "pay" | "remake"; readonly amount: number }
  | { readonly do: "charge"; readonly saga: string; readonly amount: number; readonly user: string }
  | { readonly do: "refund" | "forget"; readonly saga: string };

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ do: fc.constantFrom("add" as const, "pay" as const), amount: anAmount }),
  fc.record({ do: fc.constant("remake" as const), amount: start }),
  fc.record({
    do: fc.constant("charge" as const),
    saga,
    amount: fc.oneof(anAmount, fc.constant(0)),
    user: fc.constantFrom("u", "u", "u", "unknown"),
  }),
  fc.record({ do: fc.constantFrom("refund" as const, "forget" as const), saga }),
);

/** One user's row and the charges on it, changed by the rules only. */
class Rows {
  user: User;
  readonly markers = new Map<string, Charge>();
  #generation = 0;

  constructor(credit: number) {
    this.user = newUser(credit, "first");
  }

  find = (id: string): User | null => (id === "u" ? this.user : null);

  apply(changes: ChargeChanges): void {
    for (const [key, row] of changes) {
      if (key === "user:u") this.user = row as User;
      else if (row === null) this.markers.delete(key.slice("charge:".length));
      else this.markers.set(key.slice("charge:".length), row as Charge);
    }
  }

  /** @returns the code of a refusal */
  run(next: Action): string | undefined {
    try {
      switch (next.do) {
        case "add":
          return void (this.user = addFunds(this.user, next.amount));
        case "pay":
          return void (this.user = pay(this.user, next.amount, "u"));
        case "remake":
          return void (this.user = newUser(next.amount, `again ${++this.#generation}`));
        case "charge": {
          const { set, refusal } = charge(
            next.saga,
            next.user,
            next.amount,
            this.markers.get(next.saga) ?? null,
            this.find,
          );
          this.apply(set);
          return refusal?.code;
        }
        case "refund":
          return this.apply(refund(next.saga, this.markers.get(next.saga) ?? null, this.find)) as undefined;
        case "forget":
          return this.apply(forget(next.saga, this.markers.get(next.saga) ?? null, this.find)) as undefined;
      }
    } catch (error) {
      if (error instanceof Refusal) return error.code;
      throw error;
    }
  }

  snapshot(): string {
    return JSON.stringify([this.user, [...this.markers]]);
  }
}

test("whatever happens: no credit is negative, what is held is what the charges have, and it can always be refunded", () => {
  fc.assert(
    fc.property(start, fc.array(action, { maxLength: 60 }), (credit, actions) => {
      const rows = new Rows(credit);
      for (const next of actions) {
        rows.run(next);
        const { credit: left, held, generation } = rows.user;
        const charged = [...rows.markers.values()].flatMap((marker) =>
          marker.state === "charged" && marker.generation === generation ? [marker.amount] : [],
        );
        expect(held).toBe(charged.reduce((sum, one) => sum + one, 0));
        expect(left).toBeGreaterThanOrEqual(0);
        expect(BigInt(left) + BigInt(held)).toBeLessThanOrEqual(BigInt(MAX_AMOUNT));
      }
    }),
    { numRuns: 400 },
  );
});

test("a repeated charge gives the first answer and charges no second time, whatever happened in between", () => {
  fc.assert(
    fc.property(
      start,
      anAmount,
      fc.array(
        action.filter(({ do: what }) => ["add", "pay", "remake"].includes(what)),
        { maxLength: 10 },
      ),
      (credit, amount, between) => {
        const rows = new Rows(credit);
        const step = { do: "charge", saga: "s", amount, user: "u" } as const;
        const first = rows.run(step);
        expect(first).toBe(amount <= credit ? undefined : "insufficient_credit");
        for (const next of between) rows.run(next);
        const before = rows.snapshot();
        expect(rows.run(step)).toBe(first);
        expect(rows.snapshot()).toBe(before);
      },
    ),
  );
});

test("a refunded charge refuses a late execute, whether it had run before or not", () => {
  fc.assert(
    fc.property(start, anAmount, fc.boolean(), (credit, amount, ran) => {
      const rows = new Rows(credit);
      const step = { do: "charge", saga: "s", amount, user: "u" } as const;
      const first = ran ? rows.run(step) : undefined;
      rows.run({ do: "refund", saga: "s" });
      rows.run({ do: "refund", saga: "s" });
      expect(rows.run(step)).toBe(first ?? "step_compensated");
      expect(rows.user).toEqual(newUser(credit, "first"));
    }),
  );
});

test("a refund goes only to the user that was charged, not to one made anew under the same id", () => {
  for (const undo of ["refund", "forget"] as const) {
    const rows = new Rows(10);
    rows.run({ do: "charge", saga: "s", amount: 4, user: "u" });
    rows.run({ do: "remake", amount: 7 });
    rows.run({ do: undo, saga: "s" });
    expect(rows.user).toMatchObject({ credit: 7, held: 0 });
  }
});

test("funds are added up to the largest credit less what may be refunded, and not one more", () => {
  const rows = new Rows(10);
  rows.run({ do: "charge", saga: "s", amount: 4, user: "u" });
  expect(rows.run({ do: "add", amount: MAX_AMOUNT - 9 })).toBe("amount_out_of_range");
  expect(rows.run({ do: "add", amount: MAX_AMOUNT - 10 })).toBeUndefined();
  rows.run({ do: "refund", saga: "s" });
  expect(rows.user.credit).toBe(MAX_AMOUNT);
});
