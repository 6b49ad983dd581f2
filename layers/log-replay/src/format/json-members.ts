/**
 * Visits the members of a JSON object where they stand: each member's name, and the start and end of its value.
 *
 * A restore needs the values as text. JSON.parse spends most of its time on making an object of a thousand names that
 * nobody will look up (measured: it is three times slower than this, and its result has to become text again). The text
 * must be what JSON.stringify gives: valid, and without white space between its tokens. It walks through UTF-8 byte by
 * byte, because all that JSON itself is made of is ASCII.
 *
 * @param at where the object's brace stands
 */
export function eachMember(json: Buffer, at: number, visit: (name: string, from: number, to: number) => void): void {
  for (let i = at + 1; json[i] === QUOTE; i++) {
    const colon = endOfString(json, i);
    const name = json.toString("utf8", i + 1, colon - 1);
    const to = endOfValue(json, colon + 1);
    visit(name.includes("\\") ? (JSON.parse(`"${name}"`) as string) : name, colon + 1, to);
    i = to;
  }
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** @returns the place after the value that begins at `i` */
function endOfValue(json: Buffer, i: number): number {
  for (let depth = 0; i < json.length; i++) {
    switch (json[i]) {
      case QUOTE:
        i = endOfString(json, i) - 1;
        break;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        depth++;
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        if (depth-- === 0) return i;
        break;
      case COMMA:
        if (depth === 0) return i;
        break;
      default:
      // Some character of a number or a literal.
    }
  }
  throw new SyntaxError("the value does not end");
}

/** @returns the place after the string whose opening quote is at `i` */
function endOfString(json: Buffer, i: number): number {
  for (i++; i < json.length; i++) {
    if (json[i] === QUOTE) return i + 1;
    if (json[i] === BACKSLASH) i++;
  }
  throw new SyntaxError("the string does not end");
}
