import type { IncomingMessage } from "node:http";

/** Bytes: a larger body is refused with 413. */
export const LARGEST_BODY = 1024 * 1024;
/** Bytes of a refused body that are still read, so that its sender comes to reading the refusal. */
const MOST_IGNORED = 64 * 1024 * 1024;

export const TOO_LARGE = Symbol("a body beyond the limit");

/** The whole body as text; null where there is none. */
export function bodyOf(request: IncomingMessage): Promise<string | typeof TOO_LARGE> | null {
  const { "transfer-encoding": encoding, "content-length": length } = request.headers;
  return encoding === undefined && (length === undefined || length === "0") ? null : read(request);
}

export function isTooLarge({ headers }: IncomingMessage): boolean {
  return Number(headers["content-length"] ?? 0) > LARGEST_BODY;
}

async function read(request: IncomingMessage): Promise<string | typeof TOO_LARGE> {
  const chunks: Buffer[] = [];
  let length = 0;
  // The connection stays open: there is an answer to write, even where the rest is not read.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    length += (chunk as Buffer).length;
    if (length <= LARGEST_BODY) chunks.push(chunk as Buffer);
    else if (length > MOST_IGNORED) break;
    else chunks.length = 0;
  }
  return length > LARGEST_BODY ? TOO_LARGE : Buffer.concat(chunks).toString("utf8");
}
