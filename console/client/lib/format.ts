export const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** 14:03:22.118, in the reader's own zone. */
export function time(at: number | string): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime())
    ? "–"
    : `${clock.format(date)}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** The time, with the day where that is not today. */
export function moment(at: number | string): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return "–";
  return date.toDateString() === new Date().toDateString() ? time(at) : `${day.format(date)} ${time(at)}`;
}

export function duration(milliseconds: number): string {
  if (milliseconds < 10) return `${Math.round(milliseconds * 10) / 10} ms`;
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1_000).toFixed(milliseconds < 10_000 ? 2 : 1)} s`;
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.round((milliseconds % 60_000) / 1_000)} s`;
  return minutes < 2_880 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.floor(minutes / 1_440)} days`;
}

export function ago(at: number, now: number): string {
  const past = now - at;
  return past < 1_000 ? "now" : `${duration(past).replace(/\.\d+ s$/, " s")} ago`;
}

const SIZES = ["B", "kB", "MB", "GB", "TB"] as const;

export function bytes(size: number): string {
  let unit = 0;
  while (size >= 1_000 && unit < SIZES.length - 1) {
    size /= 1_000;
    unit++;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${SIZES[unit]}`;
}

export function count(number: number): string {
  return number.toLocaleString("en");
}

export function rate(perSecond: number): string {
  return perSecond >= 100 || perSecond === 0 ? count(Math.round(perSecond)) : perSecond.toFixed(1);
}

/** The beginning of a random id, which is enough to tell it from others on a page. */
export function brief(id: string): string {
  return id.length > 12 ? `${id.slice(0, 8)}…` : id;
}
