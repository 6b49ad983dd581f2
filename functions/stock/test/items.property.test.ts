import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { MAX_AMOUNT } from "../../numbers.ts";
import { Refusal } from "../../errors.ts";
import { add, itemKey, newItem, subtract, type Item } from "../items.ts";
import {
  forget,
  release,
  reservationKey,
  reserve,
  type ReservationChanges,
  type Lines,
  type Reservation,
} from "../reservations.ts";

/** Small numbers, and those around the largest: where sums go wrong. */
const amount = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: MAX_AMOUNT - 20, max: MAX_AMOUNT }));
const start = fc.oneof(fc.integer({ min: 0, max: 30 }), fc.integer({ min: MAX_AMOUNT - 30, max: MAX_AMOUNT }));
const anId = fc.constantFrom("a", "b", "c");
const saga = fc.constantFrom("s1", "s2", "s3", "s4");

type Action =
  | { readonly do: "add" | "subtract"; readonly id: string; readonly amount: number }
  | { readonly do: "reserve"; readonly saga: string; readonly lines: Lines }
  | { readonly do: "release" | "forget"; readonly saga: string }
  | { readonly do: "remake"; readonly id: string; readonly stock: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ do: fc.constantFrom("add" as const, "subtract" as const), id: anId, amount }),
  fc.record({
    do: fc.constant("reserve" as const),
    saga,
    lines: fc.array(fc.tuple(fc.constantFrom("a", "b", "c", "unknown"), amount), { minLength: 1, maxLength: 4 }),
  }),
  fc.record({ do: fc.constant("release" as const), saga }),
  fc.record({ do: fc.constant("remake" as const), id: anId, stock: start }),
);
const withForget = fc.oneof(
  { weight: 4, arbitrary: action },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("forget" as const), saga }) },
);

/** The stock service's rows, changed by its rules only. */
class Rows {
  readonly items = new Map<string, Item>();
  readonly markers = new Map<string, Reservation>();
  #generation = 0;

  constructor(stocks: readonly [number, number, number]) {
    ["a", "b", "c"].forEach((id, i) => this.items.set(id, newItem(1, stocks[i]!, "first")));
  }

  find = (id: string): Item | null => this.items.get(id) ?? null;

  apply(changes: ReservationChanges): void {
    for (const [key, row] of changes) {
      const [kind, name] = key.split(":") as [string, string];
      const rows: Map<string, unknown> = kind === "item" ? this.items : this.markers;
      if (row === null) rows.delete(name);
      else rows.set(name, row);
    }
  }

  /** @returns the code of a refusal */
  run(next: Action): string | undefined {
    try {
      switch (next.do) {
        case "add":
          return void this.items.set(next.id, add(this.items.get(next.id)!, next.amount));
        case "subtract":
          return void this.items.set(next.id, subtract(this.items.get(next.id)!, next.amount, next.id));
        case "remake":
          return void this.items.set(next.id, newItem(1, next.stock, `again ${++this.#generation}`));
        case "reserve": {
          const { set, refusal } = reserve(next.saga, next.lines, this.markers.get(next.saga) ?? null, this.find);
          this.apply(set);
          return refusal?.code;
        }
        case "release":
          return this.apply(release(next.saga, this.markers.get(next.saga) ?? null, this.find)) as undefined;
        case "forget":
          return this.apply(forget(next.saga, this.markers.get(next.saga) ?? null, this.find)) as undefined;
      }
    } catch (error) {
      if (error instanceof Refusal) return error.code;
      throw error;
    }
  }

  snapshot(): string {
    return JSON.stringify([[...this.items], [...this.markers]]);
  }
}

const stocks = fc.tuple(start, start, start);

test("whatever happens: nothing is negative, and what is held can always come back within the largest stock", () => {
  fc.assert(
    fc.property(stocks, fc.array(withForget, { maxLength: 60 }), (initial, actions) => {
      const rows = new Rows(initial);
      for (const next of actions) {
        rows.run(next);
        for (const { stock, held } of rows.items.values()) {
          expect(Number.isSafeInteger(stock) && Number.isSafeInteger(held)).toBe(true);
          expect(Math.min(stock, held)).toBeGreaterThanOrEqual(0);
          expect(BigInt(stock) + BigInt(held)).toBeLessThanOrEqual(BigInt(MAX_AMOUNT));
        }
      }
    }),
    { numRuns: 300 },
  );
});

test("what is held is exactly what the reservations of this very item have", () => {
  fc.assert(
    fc.property(stocks, fc.array(withForget, { maxLength: 60 }), (initial, actions) => {
      const rows = new Rows(initial);
      for (const next of actions) rows.run(next);
      for (const [id, { held, generation }] of rows.items) {
        const reserved = [...rows.markers.values()].flatMap((marker) =>
          marker.state === "reserved" ? marker.lines : [],
        );
        expect(held).toBe(
          reserved
            .filter((line) => line.item === id && line.generation === generation)
            .reduce((sum, { quantity }) => sum + quantity, 0),
        );
      }
    }),
    { numRuns: 200 },
  );
});

test("a reservation takes all lines or none, and refuses exactly where an item has too little or is unknown", () => {
  fc.assert(
    fc.property(
      stocks,
      fc.array(fc.tuple(fc.constantFrom("a", "b", "c", "unknown"), amount), { minLength: 1, maxLength: 5 }),
      (initial, lines) => {
        const rows = new Rows(initial);
        const before = new Map([...rows.items].map(([id, { stock }]) => [id, BigInt(stock)]));
        const asked = new Map<string, bigint>();
        for (const [id, quantity] of lines) asked.set(id, (asked.get(id) ?? 0n) + BigInt(quantity));
        const possible = [...asked].every(([id, quantity]) => (before.get(id) ?? -1n) >= quantity);
        const code = rows.run({ do: "reserve", saga: "s", lines });
        expect(code === undefined).toBe(possible);
        for (const [id, { stock }] of rows.items)
          expect(BigInt(stock)).toBe(before.get(id)! - (possible ? (asked.get(id) ?? 0n) : 0n));
      },
    ),
  );
});

test("a repeated step gives the first answer and changes nothing, whatever happened in between", () => {
  const other = action.filter((next) => next.do === "add" || next.do === "subtract" || next.do === "remake");
  fc.assert(
    fc.property(
      stocks,
      fc.array(fc.tuple(anId, amount), { minLength: 1, maxLength: 3 }),
      fc.array(other, { maxLength: 10 }),
      (initial, lines, between) => {
        const rows = new Rows(initial);
        const step = { do: "reserve", saga: "s", lines } as const;
        const first = rows.run(step);
        for (const next of between) rows.run(next);
        const before = rows.snapshot();
        expect(rows.run(step)).toBe(first);
        expect(rows.snapshot()).toBe(before);
      },
    ),
  );
});

test("a released step refuses a late execute, whether it had run before or not, and a second release changes nothing", () => {
  fc.assert(
    fc.property(
      stocks,
      fc.boolean(),
      fc.array(fc.tuple(anId, amount), { minLength: 1, maxLength: 3 }),
      (initial, ran, lines) => {
        const rows = new Rows(initial);
        const untouched = JSON.stringify([...rows.items]);
        const refused = ran ? rows.run({ do: "reserve", saga: "s", lines }) : undefined;
        rows.run({ do: "release", saga: "s" });
        expect(JSON.stringify([...rows.items])).toBe(untouched);
        const released = rows.snapshot();
        rows.run({ do: "release", saga: "s" });
        expect(rows.run({ do: "reserve", saga: "s", lines })).toBe(refused ?? "step_compensated");
        expect(rows.snapshot()).toBe(released);
      },
    ),
  );
});

test("a release and a forgetting pass over an item that was made anew under the same id", () => {
  fc.assert(
    fc.property(fc.constantFrom("release" as const, "forget" as const), start, (undo, stock) => {
      const rows = new Rows([10, 10, 10]);
      rows.run({
        do: "reserve",
        saga: "s",
        lines: [
          ["a", 4],
          ["b", 4],
        ],
      });
      rows.run({ do: "remake", id: "a", stock });
      rows.run({ do: undo, saga: "s" });
      expect(rows.items.get("a")).toMatchObject({ stock, held: 0 });
      expect(rows.items.get("b")).toMatchObject({ stock: undo === "release" ? 10 : 6, held: 0 });
    }),
  );
});

test("a forgotten saga leaves no row, and what it sold stays sold", () => {
  const rows = new Rows([10, 10, 10]);
  rows.run({ do: "reserve", saga: "s", lines: [["a", 4]] });
  rows.run({ do: "forget", saga: "s" });
  expect([rows.markers.size, rows.items.get("a")]).toEqual([0, expect.objectContaining({ stock: 6, held: 0 })]);
  expect(forget("s", null, rows.find)).toEqual([]);
});

test("rows are found under keys that no id can make collide", () => {
  expect([itemKey("x"), reservationKey("x")]).toEqual(["item:x", "reservation:x"]);
});
