/**
 * `npm run bench:commit-modes`: redis-occ by WATCH … EXEC and by its script, alternating on one Redis, without a log.
 * Transactions per second are those of this machine and this moment; the ratio of the two modes is what counts.
 */
import { Redis } from "ioredis";
import { Occ, type CommitMode, type View } from "redis-occ";
import { median } from "./load/figures.ts";
import { spawnRedis } from "./spare-redis.ts";

const MODES: readonly CommitMode[] = ["watch", "script"];
const ROUNDS = 5;
const SECONDS = 1;

interface Scenario {
  readonly name: string;
  readonly callers: number;
  readonly key: (caller: number) => string;
  readonly alone: boolean;
}

const SCENARIOS: readonly Scenario[] = [
  { name: "one caller", callers: 1, key: () => "one", alone: false },
  { name: "50 callers, a key each, in groups", callers: 50, key: (i) => `k${i}`, alone: false },
  { name: "50 callers, one key, in groups", callers: 50, key: () => "hot", alone: false },
  { name: "50 callers, a key each, in no group", callers: 50, key: (i) => `k${i}`, alone: true },
];

interface Round {
  readonly perSecond: number;
  /** Microseconds of the server's CPU for each transaction. */
  readonly serverCpu: number;
}

const redis = await spawnRedis();
const observer = new Redis(redis.url);
try {
  for (const scenario of SCENARIOS) {
    const rounds: Record<CommitMode, Round[]> = { watch: [], script: [] };
    for (let i = 0; i < ROUNDS; i++) for (const mode of MODES) rounds[mode].push(await run(scenario, mode));
    const [watch, script] = MODES.map((mode) => ({
      perSecond: median(rounds[mode].map((round) => round.perSecond)),
      serverCpu: median(rounds[mode].map((round) => round.serverCpu)),
    }));
    if (watch === undefined || script === undefined) continue;
    process.stdout.write(
      `${scenario.name.padEnd(36)} watch ${watch.perSecond.toFixed(0)}/s (server ${watch.serverCpu.toFixed(0)} µs), ` +
        `script ${script.perSecond.toFixed(0)}/s (server ${script.serverCpu.toFixed(0)} µs): ratio ${(script.perSecond / watch.perSecond).toFixed(2)}\n`,
    );
  }
} finally {
  observer.disconnect();
  await redis.stop();
}

async function run({ callers, key, alone }: Scenario, commit: CommitMode): Promise<Round> {
  await observer.flushall();
  const occ = new Occ({ url: redis.url, commit });
  const add = (name: string) => (view: View) => ({ result: null, set: { [name]: (view.get<number>(name) ?? 0) + 1 } });
  const before = await serverCpu();
  const started = performance.now();
  let done = 0;
  const caller = async (i: number): Promise<void> => {
    while (performance.now() - started < SECONDS * 1_000) {
      if (alone) await occ.transactAlone([key(i)], add(key(i)));
      else await occ.transact([key(i)], add(key(i)));
      done++;
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, i) => caller(i)));
  const seconds = (performance.now() - started) / 1_000;
  const cpu = (await serverCpu()) - before;
  await occ.close();
  await verify(
    Array.from({ length: callers }, (_, i) => key(i)),
    done,
  );
  return { perSecond: done / seconds, serverCpu: (cpu * 1e6) / done };
}

/** @throws Error where an update was lost */
async function verify(keys: readonly string[], done: number): Promise<void> {
  const values = await observer.mget([...new Set(keys)]);
  const sum = values.reduce((total, value) => total + Number(value), 0);
  if (sum !== done) throw new Error(`${done} transactions were answered, ${sum} are there`);
}

async function serverCpu(): Promise<number> {
  const info = await observer.info("cpu");
  const seconds = (field: string): number => Number(new RegExp(`^${field}:([\\d.]+)`, "m").exec(info)?.[1]);
  return seconds("used_cpu_user") + seconds("used_cpu_sys");
}
