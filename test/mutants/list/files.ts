/** The log itself: damage, what crashes leave, repair, and the stores. */
import { inLayer, type Mutant } from "../mutant.ts";

const SRC = "layers/log-replay/src";
const log = inLayer("log-replay");

const DAMAGE = "log-replay/test/read/damage";
const FRAME = "log-replay/test/format/frame";
const FILES = "log-replay/test/stores/file-store";
const REPAIR = "log-replay/test/tools/repair";

export const FILE: readonly Mutant[] = [
  log({
    what: "a bad checksum is passed over",
    file: "format/frame.ts",
    before: "export const raise: OnDamage = (damage) => {\n  throw damage;\n};",
    after: "export const raise: OnDamage = () => undefined;",
    promise: ["A log that is damaged where no crash can have torn it", "the log is damaged"],
    tests: DAMAGE,
    name: "a spoilt byte",
  }),
  log({
    what: "a hole ends the history",
    file: "protocol.ts",
    before: "return missing <= beyond && beyond !== Infinity ? beyond : null;",
    after: "return missing < 0 ? beyond : null;",
    promise: ["A log that is damaged where no crash can have torn it", "the log is damaged"],
    tests: DAMAGE,
    name: "a hole below a cut",
  }),
  log({
    what: "the log of another shop is opened",
    file: "stores/file/store.ts",
    before: "if (expectedId !== undefined && id !== expectedId) {",
    after: 'if (expectedId === "") {',
    promise: ["A log that is damaged where no crash can have torn it", "the log's folder vanishes or is another one"],
    tests: FILES,
    name: "with another identity are not opened",
  }),
  log({
    what: "a torn last frame is damage",
    file: "format/frame.ts",
    before: "const excused = i < durable || unwritten.some(",
    after: "const excused = i < durable || [].some(",
    promise: "a frame is torn by a crash",
    tests: FRAME,
    name: "a last frame with unwritten sectors is torn",
  }),
  log({
    what: "a sector of zeros excuses what is before it in the log",
    file: "format/frame.ts",
    before: "const durable = spans.findLastIndex((span) => span.to !== end && isClosing(span)) + 1;",
    after: "const durable = 0;",
    promise: ["the log is damaged", "a frame is torn by a crash"],
    tests: FRAME,
    name: "in a frame that one with unwritten sectors inside it follows",
  }),
  log({
    what: "a segment is truncated under a writer that may live",
    file: "stores/file/store.ts",
    before: "if (!isWriterGone(segment.name) || !exists(this.#path(segment.name))) return null;",
    after: "if (!exists(this.#path(segment.name))) return null;",
    promise: "a frame is torn by a crash",
    tests: DAMAGE,
    name: "a torn last frame of a writer that may live",
  }),
  log({
    what: "nothing counts as lost where the end of the log is spoilt",
    file: "tools/repair.ts",
    before: "(salvaged.get(epoch)?.spoilt ?? []).filter((n) => n >= next).length",
    after: "(salvaged.get(epoch)?.spoilt ?? []).filter((n) => n < next).length",
    promise: "a log was edited, or transferred as text",
    tests: REPAIR,
    name: "are spoilt: the history ends with",
  }),
  log({
    what: "a line of which nothing is left is not counted",
    file: "tools/salvage.ts",
    before: "isWhole: !line.every((byte) => byte === 0)",
    after: "isWhole: checksumOf(line) !== null",
    promise: "a log was edited, or transferred as text",
    tests: REPAIR,
    name: "a line of which nothing is left",
  }),
  log({
    what: "what an editor put around a record spoils it",
    file: "format/frame.ts",
    before: "line.subarray(from, line.at(-1) === CARRIAGE_RETURN ? line.length - 1 : line.length)",
    after: "line.subarray(from, line.at(-1) === CARRIAGE_RETURN ? line.length : line.length)",
    promise: "a log was edited, or transferred as text",
    tests: REPAIR,
    name: "what an editor did",
  }),
  log({
    what: "a newer format is read as if it were known",
    file: "format/version.ts",
    before: "Number.isInteger(format) && format >= 1 && format <= HIGHEST)",
    after: "Number.isInteger(format) && format >= 1)",
    promise: "the log is of a newer version's format",
    tests: "log-replay/test/format/versions",
    name: "an unknown format is refused",
  }),
  log({
    what: "the snapshot's format is looked at only when it is read",
    file: "recover/recovery.ts",
    before: "      assertKnownFormat(store),\n",
    after: "      store.begins(),\n",
    promise: "the log is of a newer version's format",
    tests: "log-replay/test/format/versions",
    name: "an unknown format is refused",
  }),
  log({
    what: "without hard links a store is not made",
    file: "stores/file/durable-files.ts",
    before: `    if (NO_LINKS.has(codeOf(error) ?? "")) return false;\n`,
    after: "",
    promise: "the file system has no hard links",
    tests: FILES,
    name: "on a file system without hard links",
  }),
  log({
    what: "an archive on another device is none",
    file: "stores/file/durable-files.ts",
    before: `if (codeOf(error) !== "EXDEV") throw error;`,
    after: `if (codeOf(error) !== undefined) throw error;`,
    promise: "the file system has no hard links",
    tests: FILES,
    name: "an archive on another device",
  }),
  log({
    what: "nobody looks whether the segment is still in its place",
    file: "stores/file/segment.ts",
    before: "      await this.#assertInPlace(path, file);\n    });\n  }\n\n  verify",
    after: "    });\n  }\n\n  verify",
    promise: "a segment in use is moved or removed",
    tests: "log-replay/test/stores/lost-segment",
    name: "a segment in use that is",
  }),
  log({
    what: "a segment that was taken away is not written again",
    file: "stores/file/segment.ts",
    before: "    if (found === undefined || found.ino !== this.#inode) await this.#writeAgain(file);\n",
    after: "",
    promise: "a segment in use is moved or removed",
    tests: "log-replay/test/stores/lost-segment",
    name: "a segment in use that is",
  }),
  log({
    what: "a writer brings back the damage that a repair has set aside",
    file: "stores/file/segment.ts",
    before: "(await isSetAside(this.#pathOf(this.#count))) ?",
    after: "this.#count === 0 ?",
    promise: ["a log was edited, or transferred as text", "`repair <log>`"],
    tests: "log-replay/test/tools/repair",
    name: "a repair beside a writer with nothing to do",
  }),
  log({
    what: "an empty folder in the place of an archive's store is filled",
    file: "stores/file/store.ts",
    before:
      "      if (!exists(this.#path(IDENTITY)))\n        throw new StoreUnavailableError(`there is no log store in",
    after: "      if (segments.length === 0)\n        throw new StoreUnavailableError(`there is no log store in",
    promise: "the log's folder vanishes or is another one",
    tests: FILES,
  }),
];

const s3 = (mutant: Omit<Mutant, "project" | "tests">): Mutant => ({
  ...mutant,
  file: `${SRC}/stores/s3/${mutant.file}`,
  project: "s3",
  tests: "log-replay/test/stores/s3-store",
});

/** They need an S3: S3_ENDPOINT. */
export const S3: readonly Mutant[] = [
  s3({
    what: "throttling is tried four times",
    file: "bucket.ts",
    before: "if (throttled ? isOver : ++failures === ATTEMPTS) throw error;",
    after: "if (isOver || ++failures === ATTEMPTS) throw error;",
    promise: "S3 throttles",
    name: "throttling that does not end",
  }),
  s3({
    what: "a clock that was set says how long S3 has throttled",
    file: "bucket.ts",
    before: "attempt >= ATTEMPTS && performance.now() >= end;",
    after: "attempt >= ATTEMPTS && Date.now() - performance.timeOrigin >= end;",
    promise: "S3 throttles",
    name: "a clock that is set",
  }),
  s3({
    what: "frames are deleted without the copy that was promised",
    file: "segments.ts",
    before: "!(await this.#bucket.create(key, content)) && !holdsAll(await this.#bucket.get(key), frames, content)",
    after: "!(await this.#bucket.create(key, content)) && frames.length === 0",
    promise: "A restore gives the same state from the same log",
    name: "frames that the archive",
  }),
  s3({
    what: "damaged frames are deleted, and no copy is kept",
    file: "segments.ts",
    before: "      if (content !== null)\n        await this.#bucket.create(",
    after: "      if (content === null)\n        await this.#bucket.create(",
    promise: "a log was edited, or transferred as text",
    name: "a damaged segment and a spoilt beginning are repaired",
  }),
  {
    what: "a segment in the archive has another name than in the log",
    file: `${SRC}/read/segment-cursor.ts`,
    before: `return name.slice(name.lastIndexOf("/") + 1).replace(/\\.jsonl$/, "");`,
    after: `return name.slice(name.lastIndexOf("/") + 1);`,
    promise: "`readHistory(store, { from? })`",
    project: "s3",
    tests: "log-replay/test/stores/s3-store",
    name: "a history that is read while a compaction archives",
  },
];
