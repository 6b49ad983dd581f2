/** What the types promise to whoever writes a route. There is nothing to run: the type check is the test. */
import { expectTypeOf } from "expect-type";
import type { LoggedRedis } from "log-replay";
import * as v from "valibot";
import { runCommand } from "../handler/command.ts";
import { endpoint, type Call } from "../handler/endpoint.ts";
import { task } from "../handler/task.ts";
import { text, type Answer } from "../http/answer.ts";
import { Amount, Id } from "../http/parameters.ts";
import { stock } from "../stock/service.ts";

declare const answer: Promise<Answer>;

// The path and the body of a call are what the route's schemas make of them.
endpoint({
  service: stock,
  route: "POST /stock/add/{item_id}/{amount}",
  path: { item_id: Id, amount: Amount },
  handle: (call) => {
    expectTypeOf(call.path).toEqualTypeOf<{ item_id: string; amount: number }>();
    expectTypeOf(call.state).toEqualTypeOf<LoggedRedis>();
    // @ts-expect-error no such parameter
    void call.path.user_id;
    return runCommand(call, { op: "add", keys: [], decide: () => ({ set: [], answer: text("1") }) });
  },
});
endpoint({
  service: stock,
  route: "POST /stock/reserve",
  signedBody: { saga: Id, lines: v.array(v.tuple([Id, v.number()])) },
  handle: ({ body }) => {
    expectTypeOf(body).toEqualTypeOf<{ saga: string; lines: [string, number][] }>();
    return answer;
  },
});
// A route without parameters has a call without any.
endpoint({
  service: stock,
  route: "GET /stock",
  handle: ({ path }) => {
    // @ts-expect-error no such parameter
    void path.item_id;
    return answer;
  },
});

// Whatever a helper needs of a call, every call has.
expectTypeOf<Call<{ item_id: string }, { saga: string }>>().toExtend<Call>();

// @ts-expect-error a handler answers
endpoint({ service: stock, handle: () => Promise.resolve(1) });
// @ts-expect-error a route is of a service
endpoint({ handle: () => answer });

// A task tells whoever invoked it what it has done, by name.
task(stock, "count", ({ deadline }) => Promise.resolve({ deadline }));
// @ts-expect-error a number has no name
task(stock, "count", () => Promise.resolve(1));
