import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { parseLine } from "./request-lines.ts";

/** What happened to the shop, as a person would tell it. */
export interface Happening {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly level: "info" | "good" | "bad";
  readonly service: string | null;
  readonly text: string;
}

const MOST = 400;
/** Bytes of a file that are read at the start, and at a time. */
const FIRST = 1024 * 1024;
const MOST_AT_ONCE = 4 * 1024 * 1024;

const SUPERVISOR = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) (.+)$/;

/** Reads on in the files that the supervisor and the hosts write: what died, what was restored. */
export class Happenings {
  readonly #folder: string | null;
  readonly #offsets = new Map<string, number>();
  readonly #all: Happening[] = [];

  /** @param folder `run` of the data folder; null where the logs are elsewhere: then only epochs are told */
  constructor(folder: string | null) {
    this.#folder = folder;
  }

  /** Oldest first. */
  get all(): readonly Happening[] {
    return this.#all;
  }

  add(happening: Happening): void {
    let place = this.#all.length;
    while (place > 0 && (this.#all[place - 1]?.at ?? 0) > happening.at) place--;
    this.#all.splice(place, 0, happening);
    if (this.#all.length > MOST) this.#all.shift();
  }

  /** Reads what was written since the last call. */
  async look(): Promise<void> {
    if (this.#folder === null) return;
    for (const name of await readdir(this.#folder).catch(() => []))
      if (/\.(out|log)$/.test(name) && !name.startsWith("redis")) await this.#readOn(join(this.#folder, name));
  }

  async #readOn(path: string): Promise<void> {
    const size = (await stat(path).catch(() => null))?.size ?? 0;
    let from = this.#offsets.get(path) ?? Math.max(0, size - FIRST);
    if (size < from) from = 0; // Cut: its writer began anew.
    if (size === from) return;
    const file = await open(path, "r").catch(() => null);
    if (file === null) return;
    try {
      const buffer = Buffer.allocUnsafe(Math.min(MOST_AT_ONCE, size - from));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
      const end = buffer.lastIndexOf(10, bytesRead - 1) + 1;
      this.#offsets.set(path, from + end);
      for (const line of buffer.toString("utf8", 0, end).split("\n")) {
        const happening = path.endsWith(".log") ? ofSupervisor(line) : ofHost(line);
        if (happening !== null) this.add(happening);
      }
    } finally {
      await file.close();
    }
  }
}

function ofSupervisor(line: string): Happening | null {
  const [, time, text] = SUPERVISOR.exec(line) ?? [];
  if (time === undefined || text === undefined) return null;
  const service = /\b(order|stock|payment)\b/.exec(text)?.[1] ?? null;
  const level = /has died|did not start|failed/.test(text)
    ? "bad"
    : /serves again|restored/.test(text)
      ? "good"
      : "info";
  return { at: Date.parse(time), level, service, text };
}

/** The few lines of a host's that are no request. */
function ofHost(line: string): Happening | null {
  // Most lines are requests: they are not even parsed.
  if (!line.startsWith("{") || line.includes('"message":"request"')) return null;
  const parsed = parseLine(line) as (ReturnType<typeof parseLine> & Record<string, unknown>) | null;
  if (parsed === null) return null;
  const { time: at, message, service = null } = parsed;
  const say = (level: Happening["level"], text: string): Happening => ({ at, level, service, text });
  switch (message) {
    case "restore started":
      return say("info", `restoring ${service}: epoch ${String(parsed["epoch"])} begins`);
    case "restored":
      return say(
        "good",
        `${service} restored in ${seconds(Number(parsed["ms"]))}: epoch ${String(parsed["epoch"])}, ${Number(parsed["records"]).toLocaleString("en")} commits`,
      );
    case "torn frame cut":
      return say("info", `${service}: a torn frame was cut off, a copy is ${String(parsed["copy"])}`);
    case "saga":
      return say(
        parsed.error === undefined ? "good" : "bad",
        parsed.error === undefined
          ? `checkout ${String(parsed.saga)} taken over: ${String(parsed.state)}`
          : `checkout ${String(parsed.saga)} could not be settled: ${parsed.error}`,
      );
    default:
      return null;
  }
}

function seconds(milliseconds: number): string {
  return milliseconds < 1_000 ? `${milliseconds} ms` : `${(milliseconds / 1_000).toFixed(1)} s`;
}
