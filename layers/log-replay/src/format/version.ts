import { FormatError } from "../errors.ts";

/** What a log is written in. docs/log.md tells what each format is. */
export const FORMAT = 1;

/** The format of what may say when keys end. */
export const WITH_ENDS = 2;

/** The format of what may change fields of hashes, and say when keys end. */
export const WITH_HASHES = 3;

/** The highest that this version reads. */
const HIGHEST = WITH_HASHES;

/** What records of an epoch may say besides new values; each default false. */
export interface Permits {
  /** When keys end. */
  readonly expiry?: boolean;
  /** What fields of hashes become. */
  readonly hashes?: boolean;
}

/** The format that a log needs for that. */
export function neededFormat({ expiry = false, hashes = false }: Permits): number {
  if (hashes) return WITH_HASHES;
  return expiry ? WITH_ENDS : FORMAT;
}

/** What a format permits. */
export function permitsOf(format: number): Required<Permits> {
  return { expiry: format >= WITH_ENDS, hashes: format >= WITH_HASHES };
}

/**
 * What a file does not say is of the first format: the earliest versions did not write it down.
 * @param where the file
 * @throws FormatError where this version does not know the format
 */
export function assertKnown(format: unknown, where: string): void {
  if (
    format === undefined ||
    (typeof format === "number" && Number.isInteger(format) && format >= 1 && format <= HIGHEST)
  )
    return;
  throw new FormatError(
    `${where} is of format ${JSON.stringify(format)}, and this version reads up to ${HIGHEST}: use the version that wrote it, or a newer one`,
  );
}

/**
 * @param hashes false where whoever is to work on the log would not know any; undefined where that does not matter
 * @throws FormatError where there may be some
 */
export function assertPermitted(format: number, { hashes }: Permits, log: string): void {
  if (hashes === false && permitsOf(format).hashes)
    throw new FormatError(`${log} has hashes: who works on it needs the option hashes`);
}

/** The highest format of epochs: whoever knows that knows all of theirs. @param begins how they begin */
export function formatOf(begins: Iterable<{ readonly format?: number }>): number {
  return Math.max(FORMAT, ...Array.from(begins, ({ format = FORMAT }) => format));
}

/** A format as a begin has it: the first one is not named. */
export function named(format: number): { readonly format?: number } {
  return format === FORMAT ? {} : { format };
}
