/** A client's connection: what is under way on it, and how much of what waits behind that is read. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

/** Requests that wait behind the one under way. While there are more, nothing is read from their connection. */
export const MOST_WAITING = 16;

/** The answer to a connection's last request, while it is not written yet. */
export const UNDER_WAY = Symbol("under way");
/** The request that was read last, and what is under way before it. */
export const LAST = Symbol("last");
const WAITING = Symbol("waiting");
const READING = Symbol("reading");

export interface Connection extends Duplex {
  [UNDER_WAY]?: Promise<void> | undefined;
  [LAST]?: { readonly request: IncomingMessage; readonly before: Promise<void> | undefined };
  /** Requests that wait; absent before the first one. */
  [WAITING]?: number;
  /** Absent where nothing was ever held up. */
  [READING]?: "on" | "held up" | "ended";
}

/** One more request waits. @returns resolves when what is before it is answered; never rejects */
export async function turnBehind(before: Promise<void>, socket: Connection): Promise<void> {
  const waiting = (socket[WAITING] = (socket[WAITING] ?? 0) + 1);
  if (waiting > MOST_WAITING) holdUp(socket);
  await before;
  const left = (socket[WAITING] -= 1);
  if (left <= MOST_WAITING && socket[READING] === "held up") {
    socket[READING] = "on";
    socket.resume();
  }
}

/**
 * Where something cannot be read: whether it is in the body of the request that was read last, which then never is whole, and what has to
 * be answered before it.
 */
export function spoilt(socket: Connection): { readonly isBody: boolean; readonly before: Promise<void> | undefined } {
  const last = socket[LAST];
  return last === undefined || last.request.complete
    ? { isBody: false, before: socket[UNDER_WAY] }
    : { isBody: true, before: last.before };
}

/**
 * Nobody reads any more from a connection that is held up: what is not read yet would be answered behind its end.
 * @returns whether it is held up
 */
export function endReading(socket: Connection): boolean {
  if (socket[READING] === undefined || socket[READING] === "on") return false;
  socket[READING] = "ended";
  return true;
}

/**
 * The client's bytes stay where they are, and the client comes to wait. A piece that was read before is parsed to its end: 64 kB,
 * however many requests these are. A client that leaves is noticed when its next answer is written.
 */
function holdUp(socket: Connection): void {
  if (socket[READING] === "held up" || socket[READING] === "ended") return;
  // Node resumes the connection by itself at the end of each request.
  if (socket[READING] === undefined) socket.on("resume", () => socket[READING] !== "on" && pause(socket));
  socket[READING] = "held up";
  pause(socket);
}

/** A stream that counts as paused already tells nobody, though Node may have begun to read again: so Node's server is told. */
function pause(socket: Connection): void {
  socket.pause();
  socket.emit("pause");
}

/** Resolves when there is nothing more to write, because all is written or because the client has left. */
export async function answered(response: ServerResponse, socket: Duplex): Promise<void> {
  if (socket.destroyed) return;
  await new Promise<void>((resolve) => {
    const end = (): void => {
      response.off("close", end);
      socket.off("close", end);
      resolve();
    };
    response.once("close", end);
    // An answer behind another one that is not written yet is not told that its client has left.
    socket.once("close", end);
  });
}
