/** Checks of what callers hand over: a wrong name or type is told at once, and not by what becomes of it later. */

/** Node takes a longer delay than that for one of 1 ms. */
const LONGEST_DELAY = 2 ** 31 - 1;

/** @throws TypeError for a member that is none of `known`, and for what is no object */
export function checkNames(what: string, options: unknown, known: ReadonlySet<string>): void {
  if (typeof options !== "object" || options === null) throw new TypeError(`${what} must be an object`);
  for (const name in options) if (!known.has(name)) throw new TypeError(`unknown option ${name}`);
}

/** @throws TypeError unless it is a whole number from 1 */
export function checkCount(name: string, value: unknown): void {
  if (!Number.isInteger(value) || (value as number) < 1) throw new TypeError(`${name} must be a whole number from 1`);
}

/** @throws TypeError unless it is a number of milliseconds that a timer of Node takes */
export function checkDuration(name: string, value: unknown): void {
  if (!(typeof value === "number" && value > 0 && value <= LONGEST_DELAY)) {
    throw new TypeError(`${name} must be a number of milliseconds greater than 0 and below 2^31`);
  }
}

/** @throws TypeError unless it is a function */
export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== "function") throw new TypeError(`${name} must be a function`);
}

/** A string is a list of characters, too: as keys it would be taken for many. @throws TypeError */
export function checkKeys(keys: unknown): void {
  const isList = typeof keys === "object" && keys !== null && Symbol.iterator in keys;
  if (!isList) throw new TypeError("keys must be an array of strings");
  for (const key of keys as Iterable<unknown>) {
    if (typeof key !== "string") throw new TypeError(`keys must be an array of strings; ${String(key)} is none`);
    checkText(key);
  }
}

/** What is not well-formed has no UTF-8: Redis would take each for the same other key. @throws TypeError */
export function checkText(key: string): void {
  if (!key.isWellFormed()) throw new TypeError(`the key ${JSON.stringify(key)} is not well-formed text`);
}

/** @throws TypeError unless it is an AbortSignal, or whatever behaves like one */
export function checkSignal(signal: unknown): void {
  if (typeof (signal as AbortSignal | null)?.addEventListener !== "function") {
    throw new TypeError("signal must be an AbortSignal");
  }
}
