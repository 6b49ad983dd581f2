import { parseArgs } from "node:util";
import { FAULTS, type Fault } from "./log/world.ts";
import { PARTS } from "./plan.ts";

export const HELP = `Explores every state of the log's protocol, of the checkout saga, and of the checkout by events.

  node model/main.ts                     all small configurations, then every mutant
  node model/main.ts --only log|saga|events   one of the three
  node model/main.ts --mutants           the table of mutants
  node model/main.ts --flaw NAME         one mutant, with its counterexample (--list names them)
  node model/main.ts --instances 3 --crashes 2 --lost 1      a log of your own
  node model/main.ts --programs "Cx|Rx, Cy K" --append 1     the same with other requests
  node model/main.ts --checkouts 2 --resumers 1 --crashes 1  a saga of your own

The log's faults, each with how often it may happen (0):
  --crashes   an instance crashes and starts again     --theft   the lock expires under a slow holder
  --lost      Redis restarts empty                     --append  an append is torn, or fdatasync fails
  --stale     Redis restarts with an older copy        --power   power fails: what was not synced may go
  --putback   an older copy is put back in its process --follow  it follows a server with an older copy, and returns
  --attach    its first replica attaches               --failover  a replica takes over, the old server lives on
  --oldlog    an older copy of the log is put back
  --replies   the reply of EXEC is lost                --half    EXEC fails half way
Requests: Cx commits to key x, Rx reads it, K compacts; "|" parts what one process does at the same time.
The saga: --checkouts, --resumers, --crashes, --remakes, --funds, --stock, --credit (--stale is the log's).
  --max-states N, --max-depth N   stop there; the result is then not exhaustive
  --no-settling                   do not prove that everything settles (needs eight bytes a step)
  --states                        print the state after each step of a counterexample
  --json                          one line of JSON for each exploration`;

const number = { type: "string" } as const;
const flag = { type: "boolean" } as const;

export interface Options {
  readonly values: ReturnType<typeof parse>;
  readonly faults: Partial<Record<Fault, number>>;
}

function parse(args: readonly string[]) {
  const { only, ...values } = parseArgs({
    args: [...args],
    options: {
      help: flag,
      list: flag,
      mutants: flag,
      json: flag,
      states: flag,
      "no-settling": flag,
      only: number,
      flaw: number,
      programs: number,
      instances: number,
      "max-states": number,
      "max-depth": number,
      crashes: number,
      lost: number,
      stale: number,
      replies: number,
      theft: number,
      append: number,
      power: number,
      half: number,
      putback: number,
      follow: number,
      attach: number,
      failover: number,
      oldlog: number,
      checkouts: number,
      resumers: number,
      remakes: number,
      funds: number,
      stock: number,
      credit: number,
    },
  }).values;
  const part = PARTS.find((name) => name === only);
  if (only !== undefined && part === undefined) throw new TypeError(`--only takes ${PARTS.join(", ")}, not "${only}"`);
  return { ...values, only: part };
}

const OPTION_OF: Record<Fault, Exclude<Fault, "crash" | "reply"> | "crashes" | "replies"> = {
  crash: "crashes",
  lost: "lost",
  stale: "stale",
  reply: "replies",
  theft: "theft",
  append: "append",
  power: "power",
  half: "half",
  putback: "putback",
  follow: "follow",
  attach: "attach",
  failover: "failover",
  oldlog: "oldlog",
};

/** @throws TypeError for an unknown option or one that is no whole number */
export function readOptions(args: readonly string[]): Options {
  const values = parse(args);
  return { values, faults: Object.fromEntries(FAULTS.map((fault) => [fault, count(values[OPTION_OF[fault]])])) };
}

/** @throws TypeError */
export function count(text: string | undefined, otherwise = 0): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isInteger(value) || value < 0) throw new TypeError(`"${text}" is no whole number`);
  return value;
}
