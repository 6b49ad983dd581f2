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
