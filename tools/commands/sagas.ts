import { stateAt } from "log-replay";
import { command, count, openOne, paint, print, printJson, teller, timeline, ToolError } from "log-replay/cli";
import { SAGAS, isSettled, type Saga } from "../../functions/order/sagas.ts";
import { openLogs, shopLogs } from "../open-logs.ts";
import { chosen } from "../records.ts";

interface SagasOptions {
  readonly open?: boolean;
  readonly stuck?: boolean;
  readonly done?: boolean;
  readonly long?: boolean;
  readonly json?: boolean;
}

export const sagas = command({
  name: "sagas",
  arguments: "[id]",
  what: "the checkouts: which are open, stuck, done; with an id (or its beginning), all that one did, in all three logs",
  examples: ["sagas --open", "sagas --stuck", "sagas sf3qb2"],
  onlyShows: true,
  options: {
    open: { what: "only those that are not settled" },
    stuck: { what: "only those that are not settled and past their deadline" },
    done: { what: "only those that are settled" },
    long: { what: "nothing is shortened" },
    json: { what: "one JSON object a line, for programs" },
  },
  run: async ([id], options) => {
    const { open = false, stuck = false, done = false } = options;
    const standings = [open, stuck, done].filter(Boolean).length;
    if (standings > (id === undefined ? 1 : 0))
      throw new ToolError("--open, --stuck and --done exclude each other, and none is for one checkout");
    await (id === undefined ? list(options) : story(id, options));
  },
});

async function list(options: SagasOptions): Promise<void> {
  const { store } = await openOne(shopLogs, "order");
  const { images } = await stateAt(store);
  const all = [...images]
    .filter(([key]) => key.startsWith(SAGAS))
    .map(([key, { image }]) => ({ id: key.slice(SAGAS.length), saga: JSON.parse(image) as Saga }));
  const now = Date.now();
  const wanted = all
    .filter(({ saga }) => isWanted(saga, options, now))
    .sort((a, b) => a.saga.startedAt - b.saga.startedAt);
  for (const { id: name, saga } of wanted)
    await (options.json
      ? printJson({ saga: name, ...saga, standing: standing(saga, now) })
      : print(described(name, saga, now)));
  if (!options.json) {
    const open = all.filter(({ saga }) => !isSettled(saga));
    await print(
      `${count(all.length, "checkout")}: ${open.length} open, ${open.filter(({ saga }) => saga.deadline < now).length} of them past the deadline`,
    );
  }
}

function isWanted(saga: Saga, { open = false, stuck = false, done = false }: SagasOptions, now: number): boolean {
  const is = standing(saga, now);
  if (!open && !stuck && !done) return true;
  return (open && is !== "done") || (stuck && is === "stuck") || (done && is === "done");
}

/**
 * Past its deadline anybody may take a saga. One that stays so is stuck, because a service is down or fails for it
 * alone.
 */
function standing(saga: Saga, now: number): "open" | "stuck" | "done" {
  if (isSettled(saga)) return "done";
  return saga.deadline < now ? "stuck" : "open";
}

function described(id: string, saga: Saga, now: number): string {
  const colour = { open: "yellow", stuck: "red", done: saga.state === "paid" ? "green" : "dim" } as const;
  const late =
    standing(saga, now) === "stuck" ? `, ${Math.round((now - saga.deadline) / 1_000)} s past its deadline` : "";
  const why = saga.failure === undefined ? "" : `  ${saga.failure.code}: ${saga.failure.message}`;
  return `${new Date(saga.startedAt).toISOString()}  ${id}  ${paint(colour[standing(saga, now)], saga.state + late)}  order ${saga.order}, user ${saga.user}, total ${saga.total}${why}`;
}

/** All that one checkout did, in all three logs, even after its record was deleted. */
async function story(beginning: string, options: SagasOptions): Promise<void> {
  const saga = await fullId(beginning);
  const logs = await openLogs([]);
  const tell = teller(shopLogs, logs, options);
  let found = 0;
  for await (const { log, line } of timeline(logs)) {
    const record = chosen({ saga }, line);
    if (record === null) continue;
    await tell(log, record);
    found++;
  }
  if (found === 0) throw new ToolError(`no checkout ${beginning} is in the logs`);
}

/** @throws ToolError where several begin so */
async function fullId(beginning: string): Promise<string> {
  const ids = new Set<string>();
  for await (const { line } of timeline([await openOne(shopLogs, "order")])) {
    const id = chosen({ op: "checkout" }, line)?.["saga"];
    if (typeof id === "string" && id.startsWith(beginning)) ids.add(id);
  }
  if (ids.size > 1)
    throw new ToolError(`several checkouts begin with ${beginning}: ${[...ids].slice(0, 5).join(", ")}`);
  return [...ids][0] ?? beginning;
}
