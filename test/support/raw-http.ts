/** HTTP as bytes on a socket: what a client of any kind can send, and exactly what comes back. */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";

export interface RawAnswer {
  readonly status: number;
  /** By lower case name; several lines of one name are joined by ", ". */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface RawOptions {
  /** Answers that are waited for. */
  readonly answers?: number;
  /** Whether the client closes its side once it has sent all. */
  readonly halfClose?: boolean;
  /** Methods of the requests, in order: an answer to HEAD has no body. */
  readonly head?: boolean;
}

/** Milliseconds. */
const PATIENCE = 20_000;

/** Sends the pieces, one write each, while it reads. @throws Error where the answers do not come in time, or the connection breaks before */
export async function raw(
  base: URL,
  pieces: readonly (string | Buffer)[],
  { answers = 1, halfClose = false, head = false }: RawOptions = {},
): Promise<RawAnswer[]> {
  const socket = connectTo(base);
  let said = Buffer.alloc(0);
  const state: { error?: Error; ended: boolean } = { ended: false };
  socket.on("data", (bytes: Buffer) => (said = Buffer.concat([said, bytes])));
  socket.on("error", (error) => (state.error = error));
  socket.on("end", () => (state.ended = true));
  try {
    void (async () => {
      for (const piece of pieces)
        if (!socket.write(piece)) await new Promise((resolve) => socket.once("drain", resolve).once("close", resolve));
      if (halfClose) socket.end();
    })();
    for (const end = Date.now() + PATIENCE; ; await sleep(2)) {
      const found = parse(said, head);
      if (found.length >= answers) return found.slice(0, answers);
      if (state.error) throw state.error;
      if (state.ended || Date.now() > end)
        throw new Error(
          `${found.length} of ${answers} answers came, and ${JSON.stringify(said.toString("latin1").slice(0, 300))}`,
        );
    }
  } finally {
    socket.destroy();
  }
}

function connectTo({ protocol, hostname, port }: URL): Socket {
  const host = hostname.replace(/^\[|\]$/g, "");
  return protocol === "https:"
    ? connectTls({ host, port: Number(port || 443), servername: host })
    : connect({ host, port: Number(port || 80), allowHalfOpen: true });
}

/** Those that are whole. */
function parse(bytes: Buffer, head: boolean): RawAnswer[] {
  const found: RawAnswer[] = [];
  for (let at = 0; ;) {
    const blank = bytes.indexOf("\r\n\r\n", at);
    if (blank < 0) return found;
    const [first = "", ...lines] = bytes.toString("latin1", at, blank).split("\r\n");
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(":");
      const [name, value] = [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      const before = headers.get(name);
      headers.set(name, before === undefined ? value : `${before}, ${value}`);
    }
    const status = Number(first.split(" ")[1]);
    const length = head || status < 200 ? 0 : Number(headers.get("content-length") ?? 0);
    if (bytes.length < blank + 4 + length) return found;
    if (status >= 200)
      found.push({
        status,
        headers: Object.fromEntries(headers),
        body: bytes.toString("utf8", blank + 4, blank + 4 + length),
      });
    at = blank + 4 + length;
  }
}
