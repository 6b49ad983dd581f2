/** A change that could be made carelessly, the promise that it breaks, and the tests that have to notice. */
export interface Mutant {
  /** What is missing or wrong with it, in words. */
  readonly what: string;
  /** Path from the project's folder. */
  readonly file: string;
  /** Stands once in the file. */
  readonly before: string;
  readonly after: string;
  /** Words of guarantees, as the documents have them: the beginning of a row's first cell, or of a list's item. */
  readonly promise: string | readonly string[];
  /** The project of jest.config.js, and the part of a path that its test files have. */
  readonly project: string;
  readonly tests: string;
  /** Part of a test's name, where the rest of its file takes long. */
  readonly name?: string;
  /**
   * True where not these tests have to notice, but the checker of linearizability (`npm run linearizability`), by the histories
   * that they write.
   */
  readonly byHistories?: boolean;
}

/** The source with the change in it. @throws Error where the text to change is not there exactly once */
export function mutate({ file, before, after }: Mutant, source: string): string {
  const parts = source.split(before);
  if (parts.length !== 2) throw new Error(`${file} has this ${parts.length - 1} times, not once: ${before}`);
  return parts.join(after);
}

/** The promises that a mutant breaks. */
export const promisesOf = ({ promise }: Mutant): readonly string[] => [promise].flat();

/** Mutants of one of the layers; `file` from its sources' folder on, and the project is `layers` where it names none. */
export const inLayer =
  (layer: "redis-occ" | "log-replay") =>
  (mutant: Omit<Mutant, "project"> & Partial<Pick<Mutant, "project">>): Mutant => ({
    project: "layers",
    ...mutant,
    file: `layers/${layer}/src/${mutant.file}`,
  });

/** The same where many break one promise, which the same tests keep. */
export const against =
  (layer: "redis-occ" | "log-replay", promise: Mutant["promise"], tests: string) =>
  (what: string, file: string, before: string, after: string, name: string): Mutant =>
    inLayer(layer)({ what, file, before, after, promise, tests, name });
