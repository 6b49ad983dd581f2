import { open, readdir, type FileHandle } from "node:fs/promises";
import { join } from "node:path";

/** Bytes of a request log that are read for one checkout at most, and by which the place of its time is found. */
const MOST = 8 * 1024 * 1024;
const PROBE = 16 * 1024;
/** Milliseconds between a request's end and its line, by the clock of one machine. */
const SLACK = 2_000;

/** A line of the request log, as far as it is used here. */
export interface RequestLine {
  /** When the request was answered; milliseconds since 1970. */
  readonly time: number;
  readonly level: string;
  readonly message: string;
  readonly service?: string;
  readonly requestId?: string;
  readonly trace?: string;
  readonly saga?: string;
  readonly method?: string;
  readonly path?: string;
  readonly status?: number;
  readonly ms?: number;
  readonly error?: string;
  readonly state?: string;
  /** A message's line also has what it asks for, and the milliseconds that it was in the queue. */
  readonly type?: string;
  readonly messageId?: string;
  readonly waited?: number;
}

/** The request logs of a local shop: what the hosts have written between two times. Bounded: a file is entered by bisection. */
export class RequestLines {
  readonly #folder: string;

  /** @param folder `run` of the data folder */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Lines that hold a text, of all hosts, by their times. None where there is no request log. */
  async between(from: number, to: number, needle: string): Promise<RequestLine[]> {
    const names = await readdir(this.#folder).catch(() => []);
    const logs = names.filter((name) => /^host[^.]*\.out(\.1)?$/.test(name));
    const lines = await Promise.all(logs.map((name) => this.#ofFile(join(this.#folder, name), from, to, needle)));
    return lines.flat().sort((a, b) => a.time - b.time);
  }

  async #ofFile(path: string, from: number, to: number, needle: string): Promise<RequestLine[]> {
    const file = await open(path, "r").catch(() => null);
    if (file === null) return [];
    try {
      const { size } = await file.stat();
      const start = await offsetOf(file, size, from);
      const found: RequestLine[] = [];
      const buffer = Buffer.allocUnsafe(Math.min(MOST, size - start));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
      const quoted = Buffer.from(`"${needle}"`);
      const content = buffer.subarray(0, bytesRead);
      for (let at = content.indexOf(quoted); at >= 0;) {
        const begin = content.lastIndexOf(10, at) + 1;
        const end = content.indexOf(10, at);
        const line = parseLine(content.toString("utf8", begin, end < 0 ? bytesRead : end));
        if (line !== null && line.time > to + SLACK) break;
        if (line !== null) found.push(line);
        at = end < 0 ? -1 : content.indexOf(quoted, end);
      }
      return found;
    } finally {
      await file.close();
    }
  }
}

/** Where the lines of a time begin, or a little before. */
async function offsetOf(file: FileHandle, size: number, time: number): Promise<number> {
  let low = 0;
  let high = size;
  const probe = Buffer.allocUnsafe(PROBE);
  while (high - low > PROBE) {
    const middle = Math.floor((low + high) / 2);
    const { bytesRead } = await file.read(probe, 0, PROBE, middle);
    const [, said] = /\n\{"time":"([^"]+)"/.exec(probe.toString("latin1", 0, bytesRead)) ?? [];
    // Lines that are no JSON, of a stack perhaps: from before them, to be safe.
    if (said === undefined || Date.parse(said) >= time) high = middle;
    else low = middle;
  }
  return low;
}

export function parseLine(text: string): RequestLine | null {
  if (!text.startsWith("{")) return null;
  try {
    const { time, ...line } = JSON.parse(text) as Omit<RequestLine, "time"> & { time: string };
    return { ...line, time: Date.parse(time) };
  } catch {
    return null;
  }
}
