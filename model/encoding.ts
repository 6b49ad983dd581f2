/** 64 bits, as two whole numbers. */
export interface Fingerprint {
  readonly high: number;
  readonly low: number;
}

/**
 * A state as a row of numbers, for the set of states seen. It is written anew for each state, so that nothing is left
 * for the garbage collector.
 */
export class Encoding {
  #words = new Int32Array(1 << 10);
  #length = 0;

  clear(): void {
    this.#length = 0;
  }

  number(value: number): void {
    if (this.#length === this.#words.length) {
      const words = new Int32Array(2 * this.#length);
      words.set(this.#words);
      this.#words = words;
    }
    this.#words[this.#length++] = value;
  }

  /** The length comes first, so that two texts one after the other cannot be taken for two others. */
  text(value: string): void {
    this.number(value.length);
    for (let i = 0; i < value.length; i++) this.number(value.charCodeAt(i));
  }

  /** Two multiplicative hashes that are mixed at the end (cyrb53 without its cut to 53 bits). */
  fingerprint(): Fingerprint {
    let high = 0xdeadbeef ^ this.#length;
    let low = 0x41c6ce57 ^ this.#length;
    for (let i = 0; i < this.#length; i++) {
      const word = this.#words[i] as number;
      high = Math.imul(high ^ word, 2654435761);
      low = Math.imul(low ^ word, 1597334677);
      // Multiplying alone never carries a high bit down.
      high ^= high >>> 15;
      low ^= low >>> 13;
    }
    high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
    low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
    return { high: high >>> 0, low: low >>> 0 };
  }
}
