import { verify as reading, type Finding, type Verified } from "../../tools/verify.ts";
import { EXIT } from "../exit.ts";
import { Gathered } from "../gathered.ts";
import { headings, label, several, type Log, type Logs } from "../logs.ts";
import { count, paint, print, printJson } from "../output.ts";
import { command, type Command } from "../program.ts";

export function verify(logs: Logs): Command {
  const { log } = logs.example;
  return command({
    name: "verify",
    arguments: several(logs),
    what: "checksums, order, holes, epochs, the snapshot, the archive; every problem with file and line",
    examples: [`verify ${log}`, `verify ${log} --json`],
    options: { json: { what: "one JSON object a line, for programs" } },
    async run(names, { json = false }) {
      const opened = await logs.open(names);
      const heading = headings(opened);
      for (const each of opened) await (json ? verifyAsJson(each) : verifyAloud(each, heading(each)));
    },
  });

  async function verifyAsJson(each: Log): Promise<void> {
    const value = await verifyOne(each, (finding) => printJson({ ...label(logs, each), ...finding }));
    await printJson({ ...label(logs, each), kind: "summary", ...value });
  }
}

/** Says what is wrong with a log, and last whether anything is; damage is the exit code. @param heading what each line begins with */
export async function verifyAloud(log: Log, heading: string): Promise<void> {
  const findings = new Gathered((finding, spot) => print(`${heading}  ${described(finding, spot)}`));
  const { records, epochs, damages } = await verifyOne(log, (finding) => findings.add(finding));
  await findings.end();
  const verdict = damages === 0 ? paint("green", "sound") : paint(["red", "bold"], count(damages, "problem"));
  const where = log.where === log.name ? "" : ` (${log.where})`;
  await print(`${heading}  ${verdict}: ${count(records, "commit")} in ${count(epochs, "epoch")}${where}`);
}

async function verifyOne({ store, law }: Log, tell: (finding: Finding) => Promise<void>): Promise<Verified> {
  const findings = reading(store, law === undefined ? {} : { law });
  for (;;) {
    const { done, value } = await findings.next();
    if (done === true) return value;
    // Before it is told: whoever hears it may hear no more, as in `verify | head`.
    if (value.kind === "damage") process.exitCode = EXIT.wrong;
    await tell(value);
  }
}

function described({ kind, what }: Finding, spot: string): string {
  return `${kind === "damage" ? paint("red", "damage") : paint("yellow", "note")}  ${paint("bold", spot)}: ${what}`;
}
