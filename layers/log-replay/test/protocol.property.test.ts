import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  after,
  chain,
  comparePositions,
  goesOnBehind,
  isBehind,
  isDecided,
  isInHistory,
  isPassedOver,
  judgeGuard,
  judgeWriter,
  lastOver,
  lastBegun,
  lostClaims,
  mayCompact,
  mayStay,
  nextEpoch,
  parentOf,
  parseGuard,
  readWaitsFor,
  tellsOf,
} from "../src/protocol.ts";
import type { Begin } from "../src/stores/store.ts";

describe("what a guard is worth", () => {
  const guard = { epoch: 3, run_id: "run", replid: "history", store: "log" };
  const here = { runId: "run", replid: "history", inherited: false, store: "log" };
  test.each([
    ["none: the state is missing or half restored", null, "restore"],
    ["of this server and this log", guard, "fine"],
    ["of another server process, which a copy may have been put back into", { ...guard, run_id: "other" }, "restore"],
    ["of another log", { ...guard, store: "other" }, "foreign"],
    ["of another log and another server", { ...guard, run_id: "other", store: "other" }, "foreign"],
    ["of a history with another name", { ...guard, replid: "before" }, "compare"],
    ["from before guards named a history", { epoch: 3, run_id: "run", store: "log" }, "compare"],
  ] as const)("%s", (_name, given, verdict) => {
    expect(judgeGuard(given, here)).toBe(verdict);
  });

  test.each([
    ["the same history, whatever it goes on from", guard, "fine"],
    ["a server that has followed another one", { ...guard, replid: "before" }, "restore"],
  ] as const)("where the data come from another server: %s", (_name, given, verdict) => {
    expect(judgeGuard(given, { ...here, inherited: true })).toBe(verdict);
  });

  test.each([[null], [""], ["{"], ["null"], ["7"], ['{"epoch":1}'], ['{"epoch":"1","run_id":"r","store":"s"}']])(
    "%s is no guard",
    (text) => {
      expect(parseGuard(text)).toBeNull();
    },
  );

  test("a guard is read as it was written", () => {
    expect(parseGuard(JSON.stringify(guard))).toStrictEqual(guard);
  });
});

describe("how a state and its log stand to each other", () => {
  test.each([
    ["the log has all", { floor: 4, last: 4 }, 4, "in step"],
    ["the rest is still in the tail", { floor: 4, last: 7 }, 5, "in step"],
    ["the log has more", { floor: 4, last: 7 }, 8, "went back"],
    ["the log lacks what it had", { floor: 4, last: 7 }, 3, "older log"],
  ] as const)("%s", (_name, reach, end, standing) => {
    expect(comparePositions(reach, end)).toBe(standing);
  });

  test.each([
    ["behind", 3, 4, true],
    ["as far", 4, 4, false],
    ["further", 5, 4, false],
  ] as const)("a state that is %s what was seen", (_name, last, seen, behind) => {
    expect(isBehind(last, seen)).toBe(behind);
  });
});

describe("the epoch that the next one goes on from", () => {
  test.each([
    ["none", [], 0],
    ["the first, also where it is empty", [{ epoch: 1, from: 0, to: 0 }], 1],
    [
      "the last one with a commit",
      [
        { epoch: 1, from: 0, to: 4 },
        { epoch: 3, from: 4, to: 4 },
        { epoch: 9, from: 4, to: 4 },
      ],
      1,
    ],
    [
      "the last one, where it has a commit",
      [
        { epoch: 1, from: 0, to: 4 },
        { epoch: 3, from: 4, to: 5 },
      ],
      3,
    ],
  ] as const)("%s", (_name, history, parent) => {
    expect(parentOf(history)).toBe(parent);
  });
});

describe("which epochs make up the history", () => {
  const begins = (...list: [epoch: number, parent: number, cut: number][]): Map<number, Begin> =>
    new Map(list.map(([epoch, parent, cut]) => [epoch, { parent, cut }]));

  test.each([
    ["none", begins(), 0, []],
    ["the first", begins([1, 0, 0]), 1, [{ epoch: 1, from: 0, to: Infinity }]],
    [
      "each up to where the next goes on",
      begins([1, 0, 0], [2, 1, 7], [3, 2, 7]),
      3,
      [
        { epoch: 1, from: 0, to: 7 },
        { epoch: 2, from: 7, to: 7 },
        { epoch: 3, from: 7, to: Infinity },
      ],
    ],
    [
      "not one that was claimed and never begun",
      begins([1, 0, 0], [3, 1, 4]),
      3,
      [
        { epoch: 1, from: 0, to: 4 },
        { epoch: 3, from: 4, to: Infinity },
      ],
    ],
    [
      "not one that a later one passed over",
      begins([1, 0, 0], [2, 1, 4], [3, 1, 5]),
      3,
      [
        { epoch: 1, from: 0, to: 5 },
        { epoch: 3, from: 5, to: Infinity },
      ],
    ],
    ["broken: a beginning is lost", begins([1, 0, 0], [3, 2, 4]), 3, null],
    ["broken: it begins in the middle", begins([1, 0, 5]), 1, null],
    ["broken: a cut above the one that follows", begins([1, 0, 0], [2, 1, 9], [3, 2, 8]), 3, null],
    ["broken: an epoch that goes on from itself", begins([1, 1, 0]), 1, null],
  ])("%s", (_name, given, last, history) => {
    expect(chain(given, last)).toEqual(history);
  });
});

describe("what comes after a snapshot", () => {
  const first = { epoch: 1, from: 0, to: 7 };
  const second = { epoch: 2, from: 7, to: 9 };
  const fourth = { epoch: 4, from: 9, to: Infinity };

  test.each([
    ["all, where there is none", null, [first, second, fourth]],
    [
      "the rest of the epoch that it ends in, and all that follow",
      { epoch: 2, n: 8 },
      [{ ...second, from: 8 }, fourth],
    ],
    ["nothing of an epoch that it holds up to the cut", { epoch: 2, n: 9 }, [fourth]],
    ["the rest of the last epoch", { epoch: 4, n: 12 }, [{ ...fourth, from: 12 }]],
    ["broken: it holds more than the history", { epoch: 2, n: 10 }, null],
    ["broken: it ends before its epoch begins", { epoch: 2, n: 6 }, null],
    ["broken: it ends in an epoch that is no part of the history", { epoch: 3, n: 9 }, null],
  ])("%s", (_name, snapshot, stretches) => {
    expect(after([first, second, fourth], snapshot)).toEqual(stretches);
  });
});

test.each([
  ["the last epoch ends with its last commit", 5, Infinity, Infinity, null],
  ["a commit is missing below another one", 5, Infinity, 7, 7],
  ["a commit is missing below the cut", 5, 6, Infinity, 6],
  ["an epoch ends at its cut", 5, 4, 5, null],
])("%s", (_name, missing, to, next, beyond) => {
  expect(goesOnBehind(missing, to, next)).toBe(beyond);
});

test("nothing is folded that can still be cut", () => {
  expect(mayCompact(0, false)).toBe(false);
  expect(mayCompact(3, true)).toBe(false);
  expect(mayCompact(3, false)).toBe(true);
});

test.each([
  ["there is none yet", undefined, "replace"],
  ["it is of an older epoch", { epoch: 2, over: false }, "replace"],
  ["it is of an older epoch that is over", { epoch: 2, over: true }, "replace"],
  ["it is of this epoch", { epoch: 3, over: false }, "use"],
  ["its append failed", { epoch: 3, over: true }, "restore"],
  ["it is of a later epoch: what was read is a late reply", { epoch: 4, over: false }, "restore"],
] as const)("what to do with a writer: %s", (_name, writer, verdict) => {
  expect(judgeWriter(writer, 3)).toBe(verdict);
});

test("a process knows that epochs before its own are over, and its own where an append to it has failed", () => {
  expect(lastOver(undefined)).toBe(0);
  expect(lastOver({ epoch: 3, over: false })).toBe(2);
  expect(lastOver({ epoch: 3, over: true })).toBe(3);
});

test("a read waits for what it saw", () => {
  expect(readWaitsFor(false, false)).toBe("nothing");
  expect(readWaitsFor(false, true)).toBe("own appends");
  expect(readWaitsFor(true, false)).toBe("the tail");
  expect(readWaitsFor(true, true)).toBe("the tail");
});

test("a state stays unless its epoch is sealed or to be ended", () => {
  expect(mayStay(3, false, 0)).toBe(true);
  expect(mayStay(3, true, 0)).toBe(false);
  expect(mayStay(3, false, 3)).toBe(false);
  expect(mayStay(4, false, 3)).toBe(true);
});

test("an epoch is decided only by a later one that is not sealed itself", () => {
  expect(isDecided(3, 3, false)).toBe(false);
  expect(isDecided(3, 2, false)).toBe(false);
  expect(isDecided(3, 4, true)).toBe(false);
  expect(isDecided(3, 4, false)).toBe(true);
  expect(isDecided(3, 6, false)).toBe(true);
});

/**
 * Recoverers as the protocol has them: each claims the next epoch, later reads the begins, reads the log of the last
 * begun epoch at some moment, and writes its own begin later still, or never. In between commits are appended.
 */
test("whether a commit is in the history is final once its epoch is decided, however recoverers overlap", () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.constant({ do: "append" as const }) },
    { weight: 2, arbitrary: fc.constant({ do: "claim" as const }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("survey" as const), who: fc.nat(3) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("begin" as const), who: fc.nat(3) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const begins = new Map<number, Begin>([[1, { parent: 0, cut: 0 }]]);
      const logged = new Map<number, number>([[1, 0]]);
      let highest = 1;
      const open: { epoch: number; survey?: Begin }[] = [];
      const answers = new Map<string, boolean>();
      for (const one of steps) {
        if (one.do === "append") {
          // Late appends go to any epoch that has begun, sealed or not.
          for (const epoch of begins.keys()) logged.set(epoch, (logged.get(epoch) ?? 0) + 1);
        } else if (one.do === "claim") {
          open.push({ epoch: ++highest });
        } else {
          const recoverer = open[one.who % Math.max(1, open.length)];
          if (recoverer === undefined) continue;
          if (one.do === "survey") {
            const parent = lastBegun(begins);
            if (parent < recoverer.epoch) recoverer.survey = { parent, cut: logged.get(parent) ?? 0 };
          } else if (recoverer.survey !== undefined) {
            begins.set(recoverer.epoch, recoverer.survey);
            logged.set(recoverer.epoch, recoverer.survey.cut);
            open.splice(open.indexOf(recoverer), 1);
          }
        }
        const last = lastBegun(begins);
        for (const epoch of begins.keys()) {
          if (!isDecided(epoch, last, highest > last)) continue;
          for (let n = 1; n <= (logged.get(epoch) ?? 0); n++) {
            const place = `${epoch}-${n}`;
            const now = isInHistory({ epoch, n }, chain(begins, last) ?? []);
            expect([place, answers.get(place) ?? now]).toEqual([place, now]);
            answers.set(place, now);
          }
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("a restore tells whether a commit is in the history where it names all that may have come after what was seen before", () => {
  const told = { epoch: 3, next: 4, from: 14, to: 20 };
  expect([0, 13, 14, 15, Infinity].map((seen) => tellsOf(told, 3, seen))).toEqual([false, false, true, true, true]);
  expect(tellsOf({ ...told, from: 0 }, 3, 0)).toBe(true);
  expect([2, 4].map((epoch) => tellsOf(told, epoch, 20))).toEqual([false, false]);
  expect(tellsOf({ ...told, next: 3 }, 3, 20)).toBe(false);
  // Of an older version, which does not name the epoch that goes on from there.
  expect(tellsOf(JSON.parse('{"epoch":3,"from":14,"to":20}') as typeof told, 3, 20)).toBe(false);
});

test.each([
  ["all are there", [1, 2, 3], [1, 2, 3], []],
  ["one between others is not", [3, 1], [1, 2, 3], [2]],
  ["those below the lowest were tidied away", [10, 9], [1, 5, 9], []],
  ["of epochs that never began", [5, 6, 9], [1, 5], [7, 8]],
  ["above the highest, where an epoch has begun", [6, 5], [10, 9, 5, 1], [7, 8, 9, 10]],
  ["none is left, so that from the first beginning on all are lost", [], [10, 9], [9, 10]],
  ["of a log that was never begun", [], [], []],
])("claims that are lost: %s", (_what, claims, begun, lost) => {
  expect(lostClaims(claims, begun)).toEqual(lost);
});

test("an epoch is passed over where a later one goes on from before it", () => {
  const begins = new Map<number, Begin>([
    [1, { parent: 0, cut: 0 }],
    [4, { parent: 1, cut: 3 }],
    [5, { parent: 4, cut: 3 }],
  ]);
  expect([0, 1, 2, 3, 4, 5, 6].map((epoch) => isPassedOver(epoch, begins))).toEqual([
    ...[false, false, true, true],
    ...[false, false, false],
  ]);
});

describe("at the edges", () => {
  const history = [
    { epoch: 1, from: 0, to: 5 },
    { epoch: 3, from: 5, to: 9 },
  ];

  test("a commit is in the history after its epoch's beginning, up to its end, and in no other epoch", () => {
    const within = (epoch: number): number[] =>
      Array.from({ length: 12 }, (_, n) => n).filter((n) => isInHistory({ epoch, n }, history));
    expect(within(1)).toEqual([1, 2, 3, 4, 5]);
    expect(within(2)).toEqual([]);
    expect(within(3)).toEqual([6, 7, 8, 9]);
    expect(isInHistory({ epoch: 1, n: 1 }, [])).toBe(false);
  });

  test("a snapshot of an epoch's very beginning leaves all of it", () => {
    expect(after(history, { epoch: 3, n: 5 })).toEqual([history[1]]);
    expect(after(history, { epoch: 3, n: 4 })).toBeNull();
  });

  test("a stretch whose very last commit is missing is not whole", () => {
    expect(goesOnBehind(5, 5, Infinity)).toBe(5);
    expect(goesOnBehind(6, 5, Infinity)).toBeNull();
    expect(goesOnBehind(5, Infinity, 5)).toBe(5);
  });

  test("the highest epoch that has begun, and the one to claim", () => {
    const begin = { parent: 0, cut: 0 };
    expect(lastBegun(new Map())).toBe(0);
    expect(
      lastBegun(
        new Map([
          [1, begin],
          [3, begin],
          [2, begin],
        ]),
      ),
    ).toBe(3);
    expect([0, 7].map(nextEpoch)).toEqual([1, 8]);
  });

  test("a guard lacks nothing but the name of the history, which older ones do not have", () => {
    const old = { epoch: 1, run_id: "r", store: "s" };
    expect(parseGuard(JSON.stringify(old))).toStrictEqual(old);
    for (const spoilt of [{ run_id: 7 }, { store: 7 }, { epoch: "1" }])
      expect(parseGuard(JSON.stringify({ ...old, ...spoilt }))).toBeNull();
  });
});
