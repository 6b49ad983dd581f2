/** What the types promise to whoever calls the layer. There is nothing to run: the type check is the test. */
import { expectTypeOf } from "expect-type";
import { fields, Occ, type BatchPart, type Fields, type Json, type OccOptions, type View } from "../src/index.ts";

declare const occ: Occ;
declare const view: View;

// The result of a transaction is its rule's.
expectTypeOf(occ.transact(["n"], () => ({ result: 1 }))).toEqualTypeOf<Promise<number>>();
expectTypeOf(occ.transact(["n"], () => ({ result: { left: "one" }, set: { n: 2 } }))).resolves.toEqualTypeOf<{
  left: string;
}>();
expectTypeOf(occ.transactAlone([], () => ({ result: null, set: [["n", null]] }))).resolves.toEqualTypeOf<null>();
const parts: BatchPart<boolean>[] = [];
expectTypeOf(occ.batch(parts)).resolves.toEqualTypeOf<boolean[]>();

// A rule is synchronous, and says what it came to. (One that returns a promise is refused at run time.)
// @ts-expect-error a rule has a result
void occ.transact(["n"], () => ({ set: { n: 1 } }));

// Whoever reads may find nothing.
expectTypeOf(view.get("n")).toEqualTypeOf<Json | null>();
expectTypeOf(view.get<number>("n")).toEqualTypeOf<number | null>();
expectTypeOf(occ.read<number>(["n"])).resolves.toEqualTypeOf<(number | null)[]>();

expectTypeOf(view.fields("h")).toEqualTypeOf<ReadonlyMap<string, Json>>();
expectTypeOf(view.fields<number>("h")).toEqualTypeOf<ReadonlyMap<string, number>>();
expectTypeOf(fields({ a: 1, b: null })).toEqualTypeOf<Fields<number>>();
expectTypeOf(fields([["a", "x"]])).toEqualTypeOf<Fields<string>>();

// An option that does not exist is an error before the program runs.
expectTypeOf<OccOptions["url"]>().toEqualTypeOf<string | undefined>();
expectTypeOf<OccOptions["commit"]>().toEqualTypeOf<"watch" | "script" | undefined>();
expectTypeOf<{ url: string }>().toExtend<OccOptions>();
// @ts-expect-error no such option
void new Occ({ url: "redis://127.0.0.1", retries: 3 });
// @ts-expect-error an address is needed
void new Occ({});
// @ts-expect-error one address
void new Occ({ url: "redis://127.0.0.1", redis: {} });
