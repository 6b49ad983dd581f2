import assert from "node:assert/strict";
import { types } from "node:util";
import type { LogStore, Segment } from "../stores/store.ts";

/** The bytes of a segment. */
export function contents(store: LogStore, segment: Segment, chunk = 4_096): Promise<Buffer> {
  return collect(store.read(segment, chunk));
}

export async function collect(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const bytes of source) chunks.push(Buffer.from(bytes));
  return Buffer.concat(chunks);
}

export async function* pieces(...texts: string[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text);
}

/** A segment of its own with one frame. */
export async function appendOnce(store: LogStore, epoch: number, text: string): Promise<void> {
  const writer = store.createSegment(epoch);
  await writer.append(Buffer.from(text));
  await writer.close();
}

/** Equal by content. Runners like jest give modules globals of their own, so that two empty arrays can differ by their prototype. */
export function same(actual: unknown, expected: unknown): void {
  assert.deepEqual(plain(actual), plain(expected));
}

/** That `actual` has at least what `expected` has. */
export function has(actual: unknown, expected: unknown): void {
  const wanted = plain(expected);
  assert.deepStrictEqual(alike(plain(actual), wanted), wanted);
}

/** Of `value` what `pattern` has as well. */
function alike(value: unknown, pattern: unknown): unknown {
  if (Array.isArray(value) && Array.isArray(pattern)) return value.map((one, i) => alike(one, pattern[i]));
  if (!isRecord(value) || !isRecord(pattern)) return value;
  const common = Object.keys(pattern).filter((key) => key in value);
  return Object.fromEntries(common.map((key) => [key, alike(value[key], pattern[key])]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Buffer.isBuffer(value)) return value;
  if (Array.isArray(value)) return Array.from(value, plain);
  if (types.isMap(value)) return new Map(Array.from(value, ([key, one]) => [key, plain(one)]));
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
}
