import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { MAX_AMOUNT } from "../../numbers.ts";
import { Refusal } from "../../errors.ts";
import { addItem, claimKey, MAX_LINES, newOrder, orderKey, type Claim, type Order } from "../orders.ts";
import {
  abandon,
  close,
  isOverdue,
  LostRaceError,
  pay,
  sagaKey,
  start,
  type SagaChanges,
  type Failure,
  type Saga,
} from "../sagas.ts";

const FAILURE: Failure = { kind: "aborted", code: "checkout_aborted", message: "" };
const order: Order = { ...newOrder("u", "first"), items: [["a", 1]], total: 5 };

/** The order service's rows of one order. */
class Rows {
  readonly rows = new Map<string, Saga | Order | Claim>([[orderKey("o"), order]]);
  /** Transitions that were made, by the state that they led to. */
  readonly made: string[] = [];

  get = <T>(key: string): T | null => (this.rows.get(key) as T | undefined) ?? null;

  apply(set: SagaChanges): void {
    for (const [key, row] of set) {
      if (row === null) this.rows.delete(key);
      else this.rows.set(key, row);
    }
  }

  saga = (): Saga => this.get<Saga>(sagaKey("s"))!;
}

type Move = "pay" | "abandon" | "close";

/** A driver that knows the saga as it last saw it, and stops at the first race that it loses. */
class Driver {
  #known: Saga;
  #out = false;
  readonly #rows: Rows;

  constructor(rows: Rows) {
    this.#rows = rows;
    this.#known = rows.saga();
  }

  step(move: Move, undo: readonly string[]): void {
    if (this.#out) return;
    const current = this.#rows.saga();
    const claim = this.#rows.get<Claim>(claimKey("o"));
    try {
      const moved =
        move === "pay"
          ? pay("s", this.#known, { saga: current, order: this.#rows.get<Order>(orderKey("o")), claim })
          : move === "abandon"
            ? abandon("s", this.#known, { saga: current, order, claim }, undo, FAILURE)
            : close("s", this.#known, { saga: current, order, claim });
      if (moved === null) return;
      expect(moved.saga.version).toBe(current.version + 1);
      this.#known = moved.saga;
      this.#rows.apply(moved.set);
      this.#rows.made.push(moved.saga.state);
    } catch (error) {
      if (!(error instanceof LostRaceError)) throw error;
      this.#out = true;
    }
  }
}

function begun(): Rows {
  const rows = new Rows();
  rows.apply(start("s", "o", order, { now: 1_000, timeout: 100 }).set);
  return rows;
}

/** Every order in which the moves of two drivers can be interleaved. */
function* interleavings<T>(a: readonly T[], b: readonly T[]): Generator<("a" | "b")[]> {
  if (a.length === 0 || b.length === 0) {
    yield [...a.map(() => "a" as const), ...b.map(() => "b" as const)];
    return;
  }
  for (const rest of interleavings(a.slice(1), b)) yield ["a", ...rest];
  for (const rest of interleavings(a, b.slice(1))) yield ["b", ...rest];
}

function expectOneEnd(rows: Rows): void {
  const { state } = rows.saga();
  const ends = rows.made.filter((made) => made === "paid" || made === "failed");
  expect(ends.length).toBeLessThanOrEqual(1);
  // A saga that is being undone never becomes paid, and a paid one is never undone.
  expect(rows.made.includes("paid") && rows.made.includes("compensating")).toBe(false);
  expect(rows.get<Order>(orderKey("o"))!.paid).toBe(state === "paid");
  expect(rows.get<Claim>(claimKey("o")) === null).toBe(state === "paid" || state === "failed");
  expect(rows.made.length).toBe(rows.saga().version - 1);
}

describe("two drivers of one saga", () => {
  const programs: readonly (readonly Move[])[] = [
    ["pay"],
    ["abandon", "close"],
    ["pay", "abandon", "close"],
    ["abandon", "pay", "close"],
  ];
  const pairs = programs.flatMap((a) => programs.map((b) => [a, b] as const));
  test.each(pairs)("%j and %j: in every order of their moves one wins, and the saga ends at most one way", (a, b) => {
    for (const undo of [[], ["charge", "reserve"]]) {
      for (const turns of interleavings(a, b)) {
        const rows = begun();
        const drivers = { a: new Driver(rows), b: new Driver(rows) };
        const left = { a: [...a], b: [...b] };
        for (const turn of turns) drivers[turn].step(left[turn].shift()!, undo);
        expectOneEnd(rows);
        expect(rows.made.length).toBeGreaterThanOrEqual(1);
      }
    }
  });
});

test("any number of drivers, those too that joined later, make any moves: the saga ends at most one way", () => {
  const move = fc.constantFrom<Move>("pay", "abandon", "close");
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3), move, fc.boolean()), { maxLength: 30 }), (moves) => {
      const rows = begun();
      const drivers: Driver[] = [];
      for (const [who, what, undone] of moves)
        (drivers[who] ??= new Driver(rows)).step(what, undone ? ["reserve"] : []);
      expectOneEnd(rows);
    }),
    { numRuns: 500 },
  );
});

test("others may take a saga over from its deadline on and not a moment earlier, or where its clock was far ahead", () => {
  const saga = { startedAt: 10_000, deadline: 15_000 };
  for (const now of [10_000, 14_000, 14_999]) expect(isOverdue(saga, now)).toBe(false);
  for (const now of [15_000, 15_001, 60_000]) expect(isOverdue(saga, now)).toBe(true);
  // The deadline is at most twice the saga's own time ahead: clocks differ.
  expect(isOverdue(saga, 5_000)).toBe(false);
  expect(isOverdue(saga, 4_999)).toBe(true);
});

test("a driver that knows another version than the record's loses, in the same state too", () => {
  const known = begun().saga();
  const current = { ...known, version: known.version + 1 };
  expect(() => pay("s", known, { saga: current, order, claim: { saga: "s" } })).toThrow(LostRaceError);
  expect(() => abandon("s", known, { saga: current, order, claim: { saga: "s" } }, [], FAILURE)).toThrow(LostRaceError);
  const undoing = { ...known, state: "compensating" as const };
  expect(() =>
    close("s", undoing, { saga: { ...undoing, version: known.version + 1 }, order, claim: { saga: "s" } }),
  ).toThrow(LostRaceError);
  expect(() => pay("s", known, { saga: null, order, claim: { saga: "s" } })).toThrow(LostRaceError);
});

test("an order becomes paid only while it is still claimed by the saga, and still the one that it started with", () => {
  const cases: [Claim | null, Order | null][] = [
    [null, order],
    [{ saga: "another" }, order],
    [{ saga: "s" }, null],
    [{ saga: "s" }, { ...order, generation: "second" }],
  ];
  const saga = begun().saga();
  for (const [claim, present] of cases) expect(pay("s", saga, { saga, order: present, claim })).toBeNull();
  expect(new Map(pay("s", saga, { saga, order, claim: { saga: "s" } })?.set)).toEqual(
    new Map<string, unknown>([
      [sagaKey("s"), expect.objectContaining({ state: "paid" })],
      [orderKey("o"), { ...order, paid: true, checkout: "s" }],
      [claimKey("o"), null],
    ]),
  );
});

test("a failed saga frees the order only from its own claim", () => {
  const saga = { ...begun().saga(), state: "compensating" as const };
  expect(new Map(close("s", saga, { saga, order, claim: { saga: "another" } }).set).has(claimKey("o"))).toBe(false);
  expect(new Map(close("s", saga, { saga, order, claim: { saga: "s" } }).set).get(claimKey("o"))).toBe(null);
});

test("a saga's record says what it is about, since when, and by what it goes where that is by events", () => {
  const at = { now: 1_000, timeout: 100 };
  const saga = {
    order: "o",
    generation: "first",
    user: "u",
    items: [["a", 1]],
    total: 5,
    state: "running",
    version: 1,
    startedAt: 1_000,
    deadline: 1_100,
  };
  expect(start("s", "o", order, at).saga).toStrictEqual(saga);
  expect(start("s", "o", order, { ...at, mode: "sync" }).saga).toStrictEqual(saga);
  const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
  const byEvents = start("s", "o", order, { ...at, mode: "events", traceparent });
  expect(byEvents.saga).toStrictEqual({ ...saga, mode: "events", traceparent });
  expect(byEvents.set).toEqual([
    [sagaKey("s"), byEvents.saga],
    [claimKey("o"), { saga: "s" }],
  ]);
});

test("an order without items starts no saga", () => {
  expect(() => start("s", "o", newOrder("u", "g"), { now: 0, timeout: 1 })).toThrow(
    expect.objectContaining({ code: "empty_order" }),
  );
});

describe("an order's total", () => {
  const number = fc.oneof(
    fc.integer({ min: 0, max: 50 }),
    fc.integer({ min: 2 ** 26 - 5, max: 2 ** 27 + 5 }),
    fc.maxSafeNat(),
  );
  const aQuantity = number.map((value) => Math.max(1, value));

  test("is the sum of price times quantity, exactly, or the line is refused and nothing changes", () => {
    const line = fc.tuple(fc.constantFrom("a", "b", "c"), aQuantity, number);
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        let present = newOrder("u", "g");
        let [total, quantities] = [0n, new Map<string, bigint>()];
        for (const [item, quantity, price] of lines) {
          const next = total + BigInt(quantity) * BigInt(price);
          const together = (quantities.get(item) ?? 0n) + BigInt(quantity);
          const fits = next <= BigInt(MAX_AMOUNT) && together <= BigInt(MAX_AMOUNT);
          try {
            present = addItem(present, item, quantity, price);
            expect(fits).toBe(true);
            [total, quantities] = [next, quantities.set(item, together)];
          } catch (error) {
            expect(error).toMatchObject({ code: "amount_out_of_range" });
            expect(fits).toBe(false);
          }
          expect(BigInt(present.total)).toBe(total);
        }
        expect(present.items.map(([item, quantity]) => [item, BigInt(quantity)])).toEqual([...quantities]);
      }),
      { numRuns: 500 },
    );
  });

  test("does not change once the order is paid", () => {
    expect(() => addItem({ ...order, paid: true }, "a", 1, 1)).toThrow(expect.objectContaining({ code: "order_paid" }));
  });

  test(`has at most ${MAX_LINES} different items, of which each may grow`, () => {
    const items = Array.from({ length: MAX_LINES }, (_, i) => [`i${i}`, 1] as const);
    const full: Order = { ...newOrder("u", "g"), items, total: MAX_LINES };
    expect(() => addItem(full, "one-more", 1, 1)).toThrow(Refusal);
    expect(addItem(full, "i7", 2, 1)).toMatchObject({ total: MAX_LINES + 2 });
  });
});
