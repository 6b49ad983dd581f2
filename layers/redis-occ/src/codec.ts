/**
 * How values become the text that Redis keeps, and back.
 *
 * @example
 * const dates: Codec = { encode: (value) => superjson.stringify(value), decode: (text) => superjson.parse(text) };
 * const occ = new Occ({ url, codec: dates });
 */
export interface Codec {
  /** @throws anything where the value has no such form: the transaction that set it is refused with a TypeError */
  encode(value: unknown): string;
  /** @throws anything where the text is not of this codec: the caller gets a DecodeError */
  decode(text: string): unknown;
}

/** JSON, of values that come back as what they are: see {@link assertJson}. */
export const JSON_CODEC: Codec = {
  encode(value) {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new TypeError(`${describe(value)} has no JSON form`);
    assertJson(value);
    return text;
  },
  decode: (text) => JSON.parse(text) as unknown,
};

/**
 * JSON.stringify takes much in silence that comes back as something else: NaN as null, a Map as {}. A value may hold what
 * JSON has, and what says itself by `toJSON` how it is written (a Date). A member that is undefined counts as absent.
 * @param value free of circles: JSON.stringify has found none
 * @throws TypeError that names what is in the way
 */
export function assertJson(value: unknown): void {
  switch (typeof value) {
    case "string":
    case "boolean":
      return;
    case "number":
      if (Number.isFinite(value)) return;
      break;
    case "object":
      if (value === null) return;
      if (Array.isArray(value)) {
        for (let i = 0; i < value.length; i++) assertJson(value[i]);
        return;
      }
      if (typeof (value as { toJSON?: unknown }).toJSON === "function") {
        return assertJson((value as { toJSON(): unknown }).toJSON());
      }
      if (!isRecord(value)) break;
      // Without a list of the names: this runs for each value that is written.
      for (const name in value) {
        if (!Object.hasOwn(value, name)) continue;
        const member = (value as Record<string, unknown>)[name];
        if (member !== undefined) assertJson(member);
      }
      return;
    default:
  }
  throw new TypeError(`${describe(value)} has no JSON form`);
}

/** Objects of another realm and of a class of one's own are, Map, Set, RegExp, Error and typed arrays are not. */
function isRecord(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  return Object.prototype.toString.call(value) === "[object Object]";
}

function describe(value: unknown): string {
  return typeof value === "object" && value !== null
    ? `a ${Object.prototype.toString.call(value).slice("[object ".length, -1)}`
    : String(value);
}
