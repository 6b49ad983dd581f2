import { expect, test } from "@jest/globals";
import { Occ, type View } from "../src/index.ts";
import { COMMIT_MODE } from "./support/commit-mode.ts";
import { stage } from "./support/stage.ts";

interface Seat {
  readonly holder: string | null;
}

/** The type checker is the test: what it must refuse stands behind an expected error. */
interface Keys {
  "seat:*": Seat;
  "user:*": { readonly name: string };
  total: number;
}

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <_Condition extends true>(): void => undefined;

const on = stage();

test("a client with a map of its keys knows what each one holds", async () => {
  await using occ = new Occ<Keys>({ url: on.redis.url, commit: COMMIT_MODE });
  const id = "12";
  const taken = await occ.transact(["seat:12", `seat:${id}`, "total"], (view) => {
    const seat = view.get(`seat:${id}`);
    holds<Same<typeof seat, Seat | null>>();
    const total = view.get("total");
    holds<Same<typeof total, number | null>>();
    // @ts-expect-error no such key
    const none = (): unknown => view.get("table:1");
    void none;
    return {
      result: seat?.holder ?? "free",
      set: [
        ["seat:12", { holder: "ann" }],
        ["total", (total ?? 0) + 1],
      ],
    };
  });
  holds<Same<typeof taken, string>>();
  expect(taken).toBe("free");
  await occ.transact(["total"], () => ({ result: 0, set: { total: 5, "seat:1": null } }));

  const read = await occ.read(["seat:12", "total", `user:${id}`]);
  holds<Same<typeof read, [Seat | null, number | null, Keys["user:*"] | null]>>();
  expect(read).toEqual([{ holder: "ann" }, 5, null]);
  // @ts-expect-error no such key
  await occ.transact(["table:1"], () => ({ result: 0 }));
  // @ts-expect-error no such value
  await occ.transact(["total"], () => ({ result: 0, set: { total: "5" } }));
  // @ts-expect-error no such value of that key
  await occ.transact(["total"], () => ({ result: 0, set: [["seat:1", 5]] }));
  // @ts-expect-error no such key
  await occ.read(["table:1"]);
});

test("a client without a map takes the types by hand, of tuples one by one", async () => {
  const occ = on.client();
  await occ.transact([], () => ({ result: 0, set: { a: 1, b: "x", c: [1] } }));
  const tuple = await occ.read<[number, string]>(["a", "b"]);
  holds<Same<typeof tuple, [number | null, string | null]>>();
  const [a] = tuple;
  expect((a ?? 0) + 1).toBe(2);
  const all = await occ.read<number>(["a", "b"].slice(0, 1));
  holds<Same<typeof all, (number | null)[]>>();
  expect(all).toEqual([1]);
  const arrays = await occ.read<number[]>(["c"]);
  holds<Same<typeof arrays, (number[] | null)[]>>();
  expect(arrays).toEqual([[1]]);
  const look = (view: View) => ({ result: view.get<number>("a") });
  const one = await occ.transact(["a"], look);
  holds<Same<typeof one, number | null>>();
  expect(one).toBe(1);
});
