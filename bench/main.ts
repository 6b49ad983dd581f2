/** `npm run bench`: what the shop does, beside other implementations of the same routes if any are given. */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { onStopSignals } from "../host/stop-signals.ts";
import { Load } from "./load/load.ts";
import { HELP, readOptions, type Options } from "./options.ts";
import { page } from "./report/page.ts";
import { table, shown, type Line, type Report } from "./report/table.ts";
import { medianRow, type Bench, type Row, type Scenario } from "./rows.ts";
import { openTarget, type Target } from "./target.ts";

const FIRST_PORT = 8_500;
/** Exit code of a shell's command that Ctrl-C has ended. */
const BROKEN_OFF = 130;
/** A shop derives its other ports from its HTTP port, so further shops keep their distance. */
const PORTS_APART = 20;
const WARM_UP: Partial<Bench> = { connections: [50], scale: 0.2 };

process.exitCode = await main();

async function main(): Promise<number> {
  let options: Options | null;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${HELP}`);
    return 2;
  }
  if (options === null) {
    process.stdout.write(HELP);
    return 0;
  }
  const targets: Target[] = [];
  const load = Load.start();
  // Once: what is broken off comes to its end here as well.
  let cleaned: Promise<void> | undefined;
  const cleanUp = (): Promise<void> =>
    (cleaned ??= (async () => {
      load.stop();
      for (const { own } of targets) await own?.stop();
      for (const { own } of targets) own?.removeData();
    })());
  onStopSignals(
    () => void cleanUp().then(() => process.exit(BROKEN_OFF)),
    () => process.exit(BROKEN_OFF),
  );
  try {
    for (const [i, text] of options.targets.entries()) {
      targets.push(await openTarget(text, Number(process.env["HTTP_PORT"] || FIRST_PORT) + i * PORTS_APART));
    }
    const lines: Line[] = [];
    for (const scenario of options.scenarios) lines.push(...(await runScenario(scenario, targets, load, options)));
    const report: Report = { conditions: conditions(options), targets: targets.map(({ name }) => name), lines };
    process.stdout.write(`\n${table(report)}`);
    if (options.page !== undefined) writeFileSync(options.page, page(report));
    return lines.some(({ rows }) => rows.some((row) => row?.untrue !== undefined)) ? 1 : 0;
  } finally {
    await cleanUp();
  }
}

/**
 * The rounds of all targets alternate, in reverse order each time, so that a machine that changes its speed changes it
 * for all.
 */
async function runScenario(
  scenario: Scenario,
  targets: readonly Target[],
  load: Load,
  { rounds, scale, connections, rate }: Options,
): Promise<Line[]> {
  const measurable = targets.filter(({ own }) => own !== undefined || scenario.needsOwn !== true);
  const measured = new Map<string, Map<Target, Row[]>>();
  for (let round = 0; round < (scenario.once ? 1 : rounds); round++) {
    for (const target of round % 2 === 0 ? measurable : measurable.toReversed()) {
      const bench: Bench = { target, load, scale, connections, rate };
      if (round === 0 && scenario.name === "distinct-orders") await scenario.run({ ...bench, ...WARM_UP });
      for (const row of await scenario.run(bench)) {
        process.stdout.write(
          `${scenario.name.padEnd(16)} ${target.name.padEnd(8)} ${row.what}: ${shown(row.value, row.unit)}\n`,
        );
        const ofTarget = measured.get(row.what) ?? new Map<Target, Row[]>();
        measured.set(row.what, ofTarget.set(target, [...(ofTarget.get(target) ?? []), row]));
      }
    }
  }
  return [...measured].map(([what, ofTarget]) => ({
    scenario: scenario.name,
    what,
    rows: targets.map((target) => {
      const rows = ofTarget.get(target);
      return rows && medianRow(rows);
    }),
  }));
}

function conditions({ rounds, scale }: Options): string[] {
  const [cpu] = cpus();
  return [
    `${cpus().length} cores (${cpu?.model ?? "unknown"}), the load client on the same machine; medians of ${rounds} rounds${scale === 1 ? "" : `, requests × ${scale}: for trying only`}.`,
    `Shops of this project: DURABILITY=${process.env["DURABILITY"] || "always (fdatasync before every answer)"}, COMMIT_MODE=${process.env["COMMIT_MODE"] || "watch"}.`,
    "Rates are of answers that turned out to be true; client is the load client's share of one core.",
  ];
}
