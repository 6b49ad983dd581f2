import { stateAt } from "log-replay";
import { commitAt, type Moment } from "log-replay/tools";
import { count, paint, print, printJson } from "../output.ts";
import { openLog } from "../open-logs.ts";
import { matches } from "../records.ts";

export async function state(
  service: string,
  { at, key, json = false }: { readonly at?: Moment; readonly key?: string; readonly json?: boolean },
): Promise<void> {
  const { store } = await openLog(service);
  const n = at === undefined ? Infinity : ((await commitAt(store, at))?.n ?? 0);
  const { position, images } = await stateAt(store, { n });
  const keys = [...images.keys()].filter((candidate) => key === undefined || matches(key, candidate)).sort();
  for (const name of keys) {
    const image = images.get(name)?.image ?? "null";
    await (json
      ? printJson({ key: name, value: JSON.parse(image) as unknown })
      : print(`${paint("green", name)}  ${image}`));
  }
  const where = position === null ? "before the first commit" : `after commit ${position.epoch}:${position.n}`;
  // Not on stdout: that is for the keys alone.
  process.stderr.write(`${count(keys.length, "key")} of ${service} ${where}\n`);
}
