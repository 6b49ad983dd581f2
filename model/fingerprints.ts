import type { Fingerprint } from "./encoding.ts";

/**
 * The set of states seen so far, as 64-bit fingerprints: eight bytes for each state instead of its whole encoding, as
 * in TLC. Two states that share a fingerprint would be taken for one. With ten million states that happens once in
 * 370,000 runs.
 */
export class Fingerprints {
  #high = new Uint32Array(1 << 16);
  #low = new Uint32Array(1 << 16);
  /** The state's number plus one; 0 where the slot is free. */
  #numbers = new Uint32Array(1 << 16);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @returns the state's number; negative (-1 - number) if it is new */
  add({ high, low }: Fingerprint): number {
    if (this.#size * 2 >= this.#numbers.length) this.#grow();
    const mask = this.#numbers.length - 1;
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const number = this.#numbers[slot] as number;
      if (number === 0) {
        this.#high[slot] = high;
        this.#low[slot] = low;
        this.#numbers[slot] = ++this.#size;
        return -this.#size;
      }
      if (this.#low[slot] === low && this.#high[slot] === high) return number - 1;
    }
  }

  #grow(): void {
    const [high, low, numbers] = [this.#high, this.#low, this.#numbers];
    const length = numbers.length * 2;
    this.#high = new Uint32Array(length);
    this.#low = new Uint32Array(length);
    this.#numbers = new Uint32Array(length);
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i] as number;
      if (number === 0) continue;
      let slot = (low[i] as number) & (length - 1);
      while (this.#numbers[slot] !== 0) slot = (slot + 1) & (length - 1);
      this.#high[slot] = high[i] as number;
      this.#low[slot] = low[i] as number;
      this.#numbers[slot] = number;
    }
  }
}
