/**
 * A log as a person would read it: the files, `sort`, and JSON. It uses nothing of the layer's own reader, so that an
 * error there cannot hide here too.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";

export interface LogRecord {
  readonly epoch: number;
  readonly n: number;
  readonly op: string;
  readonly saga?: string;
  readonly set: Readonly<Record<string, unknown>>;
}

export interface PlainLog {
  /** The history, in commit order, each commit once. */
  readonly records: readonly LogRecord[];
  /** What a log must not be: with holes, with two versions of one commit, with a broken chain of epochs. */
  readonly problems: readonly string[];
}

/** How an epoch begins: behind commit `cut` of epoch `parent`. */
interface Begin {
  readonly parent: number;
  readonly cut: number;
}

export function readPlainLog(folder: string): PlainLog {
  const problems: string[] = [];
  const copies = new Map<string, string>();
  for (const line of sortedLines(folder)) {
    const text = intact(line);
    if (text === null) continue; // torn: if it should be there, it shows as a hole
    const { epoch, n } = JSON.parse(text) as LogRecord;
    const place = `${epoch}-${n}`;
    const other = copies.get(place);
    if (other !== undefined && other !== text) problems.push(`commit ${place} is in the log in two versions`);
    copies.set(place, text);
  }
  const begins = readBegins(folder);
  const chain = chainOf(begins, problems);
  const records: LogRecord[] = [];
  for (const [i, epoch] of chain.entries()) {
    const end = chain[i + 1];
    const last = end === undefined ? lastIn(copies, epoch) : begins.get(end)!.cut;
    for (let n = begins.get(epoch)!.cut + 1; n <= last; n++) {
      const text = copies.get(`${epoch}-${n}`);
      if (text === undefined)
        problems.push(`a hole: commit ${n} of epoch ${epoch} is missing, and the log goes on to ${last}`);
      else records.push(JSON.parse(text) as LogRecord);
    }
  }
  return { records, problems };
}

/** The state that the records leave: the last image of each key. */
export function fold(records: readonly LogRecord[]): Map<string, unknown> {
  const state = new Map<string, unknown>();
  for (const { set } of records) {
    for (const [key, image] of Object.entries(set)) {
      if (image === null) state.delete(key);
      else state.set(key, image);
    }
  }
  return state;
}

/** The documented way to read a log: by epoch, then by commit number. */
function sortedLines(folder: string): string[] {
  const segments = readdirSync(folder).filter((name) => /^segment-.*[.]jsonl$/.test(name));
  if (segments.length === 0) return [];
  const sorted = execFileSync("sort", ["-t:", "-k2,2n", "-k3,3n", ...segments], {
    cwd: folder,
    env: { ...process.env, LC_ALL: "C" },
    maxBuffer: 1 << 30,
  });
  return sorted.toString("utf8").split("\n").filter(Boolean);
}

/** The record without its checksum and its frame's; null where the checksum does not fit. */
function intact(line: string): string | null {
  const found = /^(.*),"crc":"([0-9a-f]{8})"(?:,"frame":\{[^{}]*\})?\}$/.exec(line);
  if (found === null) return null;
  const [, covered = "", checksum] = found;
  return crc32(covered).toString(16).padStart(8, "0") === checksum ? `${covered}}` : null;
}

function readBegins(folder: string): Map<number, Begin> {
  const begins = new Map<number, Begin>();
  for (const name of readdirSync(folder)) {
    const epoch = /^begin-(\d+)[.]json$/.exec(name)?.[1];
    if (epoch !== undefined) begins.set(Number(epoch), JSON.parse(readFileSync(join(folder, name), "utf8")) as Begin);
  }
  return begins;
}

/** The epochs that make up the history, oldest first. */
function chainOf(begins: ReadonlyMap<number, Begin>, problems: string[]): number[] {
  const chain: number[] = [];
  for (let epoch = Math.max(0, ...begins.keys()); epoch > 0;) {
    const begin = begins.get(epoch);
    if (begin === undefined) {
      problems.push(`the beginning of epoch ${epoch} is missing`);
      break;
    }
    chain.unshift(epoch);
    epoch = begin.parent;
  }
  return chain;
}

function lastIn(copies: ReadonlyMap<string, string>, epoch: number): number {
  return Math.max(
    0,
    ...[...copies.keys()].filter((place) => place.startsWith(`${epoch}-`)).map((place) => Number(place.split("-")[1])),
  );
}
