import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { Incidents, type Event, type Happening } from "./incidents.ts";
import { parseLine } from "./request-lines.ts";

/** Bytes of a file that are read at the start, and at a time. */
const FIRST = 1024 * 1024;
const MOST_AT_ONCE = 4 * 1024 * 1024;

const SUPERVISOR = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) (.+)$/;

/** Reads on in the files that the supervisor and the hosts write: what died, what was restored. */
export class Happenings {
  readonly #folder: string | null;
  readonly #offsets = new Map<string, number>();
  readonly #incidents = new Incidents();

  /** @param folder `run` of the data folder; null where the logs are elsewhere: then only epochs are told */
  constructor(folder: string | null) {
    this.#folder = folder;
  }

  /** Oldest first. */
  get all(): readonly Happening[] {
    return this.#incidents.all;
  }

  /** A number that changes whenever `all` does. */
  get version(): number {
    return this.#incidents.version;
  }

  add(happening: Happening): void {
    this.#incidents.take({ kind: "told", ...happening });
  }

  /** Reads what was written since the last call. */
  async look(): Promise<void> {
    if (this.#folder === null) return;
    const events: Event[] = [];
    for (const name of await readdir(this.#folder).catch(() => []))
      if (/\.(out|log)$/.test(name) && !name.startsWith("redis"))
        events.push(...(await this.#readOn(join(this.#folder, name))));
    // One file tells of the death, another one of what followed.
    for (const event of events.sort((a, b) => a.at - b.at)) this.#incidents.take(event);
  }

  async #readOn(path: string): Promise<Event[]> {
    const size = (await stat(path).catch(() => null))?.size ?? 0;
    let from = this.#offsets.get(path) ?? Math.max(0, size - FIRST);
    if (size < from) from = 0; // Cut: its writer began anew.
    if (size === from) return [];
    const file = await open(path, "r").catch(() => null);
    if (file === null) return [];
    try {
      const buffer = Buffer.allocUnsafe(Math.min(MOST_AT_ONCE, size - from));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
      const end = buffer.lastIndexOf(10, bytesRead - 1) + 1;
      this.#offsets.set(path, from + end);
      const read = path.endsWith(".log") ? ofSupervisor : ofHost;
      return buffer
        .toString("utf8", 0, end)
        .split("\n")
        .flatMap((line) => read(line) ?? []);
    } finally {
      await file.close();
    }
  }
}

function ofSupervisor(line: string): Event | null {
  const [, time, text] = SUPERVISOR.exec(line) ?? [];
  if (time === undefined || text === undefined) return null;
  const at = Date.parse(time);
  const [, died] = /^([\w-]+) has died/.exec(text) ?? [];
  if (died !== undefined) return { at, kind: "died", who: died };
  const [, serves] = /^([\w-]+) serves again/.exec(text) ?? [];
  if (serves !== undefined) return { at, kind: "serves", who: serves };
  if (text.startsWith("every service is restored")) return { at, kind: "resumed" };
  const service = /\b(order|stock|payment)\b/.exec(text)?.[1] ?? null;
  return { at, kind: "told", level: /did not start|failed/.test(text) ? "bad" : "info", service, text };
}

/** The few lines of a host's that are no request. */
function ofHost(line: string): Event | null {
  // Most lines are requests and messages: they are not even parsed.
  if (!line.startsWith("{") || /"message":"(request|event)"/.test(line)) return null;
  const parsed = parseLine(line) as (ReturnType<typeof parseLine> & Record<string, unknown>) | null;
  if (parsed === null) return null;
  const { time: at, message, service = "" } = parsed;
  const told = (level: Happening["level"], text: string): Event => ({ at, kind: "told", level, service, text });
  switch (message) {
    case "restore started":
      return { at, kind: "restoring", service, epoch: Number(parsed["epoch"]) };
    case "restored":
      return { at, kind: "restored", service, epoch: Number(parsed["epoch"]) };
    case "segment truncated":
      return told("info", `${service}: a segment with a torn end was truncated, a copy is ${String(parsed["copy"])}`);
    case "saga":
      return parsed.error === undefined
        ? told("good", `checkout ${String(parsed.saga)} taken over: ${String(parsed.state)}`)
        : told("bad", `checkout ${String(parsed.saga)} could not be settled: ${parsed.error}`);
    default:
      return null;
  }
}
