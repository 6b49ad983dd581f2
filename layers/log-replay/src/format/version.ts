import { FormatError } from "../errors.ts";

/** The format that this version writes, and the highest that it reads. docs/log.md tells what each one is. */
export const FORMAT = 1;

/**
 * What a file does not say is of the first format: the earliest versions did not write it down.
 * @param where the file
 * @throws FormatError where this version does not know the format
 */
export function assertKnown(format: unknown, where: string): void {
  if (
    format === undefined ||
    (typeof format === "number" && Number.isInteger(format) && format >= 1 && format <= FORMAT)
  )
    return;
  throw new FormatError(
    `${where} is of format ${JSON.stringify(format)}, and this version reads up to ${FORMAT}: use the version that wrote it, or a newer one`,
  );
}
