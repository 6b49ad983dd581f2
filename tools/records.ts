/** Records of the shop as they are chosen. */
import { selector, type Chooser } from "log-replay/cli";
import type { LogRecord, SegmentLine } from "log-replay/tools";

/** The options of `show` and `follow` that know the shop. */
export const CHOOSERS = {
  saga: { argument: "id", what: "only commits of this checkout", needle: (id) => id, fits: isAbout },
} as const satisfies Record<string, Chooser>;

export interface Choice {
  /** A key, or a prefix and a star. */
  readonly key?: string;
  readonly saga?: string;
  readonly op?: string;
}

/** Whether a record is one of those that are asked for. */
export const chosen: (choice: Choice, line: Pick<SegmentLine, "line" | "file">) => LogRecord | null =
  selector(CHOOSERS);

/** A saga's own records name it; those that delete its rows have it in their keys. */
function isAbout(saga: string, { set, ...notes }: LogRecord): boolean {
  return notes["saga"] === saga || Object.keys(set).some((key) => key.endsWith(`:${saga}`));
}
