import type { Finding } from "../tools/verify.ts";
import { count } from "./output.ts";

/**
 * Findings as a person reads them: one line for those that say the same of lines of one file, one after the other, with the first
 * of these lines. A segment that was transferred as text is damaged in each of its lines, and where others were written beside it,
 * there is a hole between each two of their commits.
 */
export class Gathered {
  readonly #tell: (finding: Finding, spot: string) => Promise<void>;
  #first: Finding | null = null;
  #more = 0;

  /** @param tell is given the first of them, and where they are, in words */
  constructor(tell: (finding: Finding, spot: string) => Promise<void>) {
    this.#tell = tell;
  }

  async add(finding: Finding): Promise<void> {
    if (this.#first !== null && isSame(this.#first, finding)) {
      this.#more++;
      return;
    }
    await this.end();
    this.#first = finding;
  }

  /** Tells what has been held back until it was known how often it is there. */
  async end(): Promise<void> {
    const [first, more] = [this.#first, this.#more];
    this.#first = null;
    this.#more = 0;
    if (first === null) return;
    const { file, line, what } = first;
    const spot = `${file}${line > 0 ? `:${line}` : ""}`;
    const noun = HOLE.test(what) ? "more hole" : "more line";
    await this.#tell(first, more === 0 ? spot : `${spot} and ${count(more, noun)}`);
  }
}

/** What is said of commits that no segment has, and where the log goes on behind them. */
const HOLE = /missing, and the log goes on/;

function isSame(a: Finding, b: Finding): boolean {
  const areHoles = HOLE.test(a.what) && HOLE.test(b.what);
  return a.kind === b.kind && a.file === b.file && (a.what === b.what || areHoles);
}
