/** What is kept of each record of a log: numbers in columns, a fraction of what objects would take. */

type Kind = { new (length: number): Numbers };
type Numbers = Float64Array | Uint32Array | Uint16Array | Uint8Array;

const FIRST_CAPACITY = 1024;

/** A column that grows at its end. */
export class Column {
  readonly #kind: Kind;
  #values: Numbers;
  #length = 0;

  constructor(kind: Kind) {
    this.#kind = kind;
    this.#values = new kind(FIRST_CAPACITY);
  }

  get length(): number {
    return this.#length;
  }

  get bytes(): number {
    return this.#values.byteLength;
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      // By half: a column of a million rows must not double for the next one.
      const larger = new this.#kind(Math.ceil(this.#length * 1.5));
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length++] = value;
  }

  /** NaN where there is none. */
  at(index: number): number {
    return index < this.#length ? (this.#values[index] ?? NaN) : NaN;
  }

  set(index: number, value: number): void {
    this.#values[index] = value;
  }
}

/** Columns of the same rows, as members of a class. */
export abstract class Columns {
  get bytes(): number {
    return Object.values(this).reduce((sum: number, column) => sum + (column as Column).bytes, 0);
  }
}

/** Words that come again and again, by number. */
export class Words {
  readonly #numbers = new Map<string, number>();
  readonly #words: string[] = [];

  /** As many as a column of bytes can tell apart. */
  numberOf(word: string): number {
    let number = this.#numbers.get(word);
    if (number === undefined) {
      // The last number stands for all words beyond: a log that somebody filled with random operations is still shown.
      if (this.#words.length >= MOST_WORDS) return MOST_WORDS - 1;
      number = this.#words.push(word) - 1;
      this.#numbers.set(word, number);
    }
    return number;
  }

  /** Undefined where the word has not come yet. */
  find(word: string): number | undefined {
    return this.#numbers.get(word);
  }

  word(number: number): string {
    return this.#words[number] ?? "";
  }

  get all(): readonly string[] {
    return this.#words;
  }
}

const MOST_WORDS = 256;

/** 53 bits of a text (cyrb53). Two of a million texts share them about once in 20,000 logs. */
export function hash(text: string): number {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return 4294967296 * (2097151 & b) + (a >>> 0);
}

/** Where `value` would have to stand among ascending numbers: the first index whose number is larger. */
export function upperBound(length: number, at: (index: number) => number, value: number): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at(middle) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
