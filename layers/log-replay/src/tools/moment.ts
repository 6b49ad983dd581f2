/**
 * A place in the history: everything up to and including a commit, or every commit before the first one that was made
 * later than a time.
 */
export type Moment = { readonly n: number; readonly epoch?: number } | { readonly time: number };

const NUMBER = /^\d{1,15}$/;
const POSITION = /^(\d{1,15}):(\d{1,15})$/;
const TIME = /^(\d{4}-\d{2}-\d{2})([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?$/;

/**
 * `N`, `EPOCH:N`, or a time as ISO 8601 has it (`2026-01-31`, `2026-01-31T12:00:00Z`), or as `show` prints it
 * (`2026-01-31 12:00:00.123`). Without a zone it is UTC.
 * @throws TypeError
 *
 * @example
 * parseMoment("1042"); // { n: 1042 }
 * parseMoment("2:1042"); // { epoch: 2, n: 1042 }
 * parseMoment("2026-01-31T12:00:00Z"); // { time: 1769860800000 }
 */
export function parseMoment(text: string): Moment {
  if (NUMBER.test(text)) return { n: Number(text) };
  const [, epoch, n] = POSITION.exec(text) ?? [];
  if (epoch !== undefined && n !== undefined) return { epoch: Number(epoch), n: Number(n) };
  return { time: parseTime(text) };
}

/**
 * Milliseconds since 1970. @throws TypeError
 *
 * @example
 * parseTime("2026-01-31T12:00"); // 1769860800000: UTC, where no zone is named
 */
export function parseTime(text: string): number {
  const [, day, hour, , , named] = TIME.exec(text) ?? [];
  // Of a day alone Date takes no zone, and a time of day without one it takes for this machine's.
  const zone = hour !== undefined && named === undefined ? "Z" : "";
  const time = day === undefined ? NaN : Date.parse(text.replace(" ", "T") + zone);
  if (Number.isNaN(time))
    throw new TypeError(`"${text}" is neither a commit (N or EPOCH:N) nor a time like 2026-01-31T12:00:00Z`);
  // Of a day that a month does not have, and of an hour 24, Date makes one of the next.
  if (new Date(`${day}T00:00:00Z`).toISOString().slice(0, 10) !== day || hour?.slice(1, 3) === "24")
    throw new TypeError(`there is no such time as "${text}"`);
  return time;
}

/**
 * Whether a commit comes after the moment. @param time when it was made, in milliseconds since 1970
 *
 * @example
 * const isLater = isAfter({ n: record.n, time: Date.parse(record.at) }, parseMoment("2026-01-31"));
 */
export function isAfter({ n, time }: { readonly n: number; readonly time: number }, moment: Moment): boolean {
  return "time" in moment ? time > moment.time : n > moment.n;
}
