import type { OnDamage } from "../format/frame.ts";
import type { Position } from "../format/record.ts";

/** `always`: on the disk before an append resolves. `os`: handed to the kernel; survives the process, not a power loss. */
export type Durability = "always" | "os";

/**
 * How an epoch starts: it goes on after commit `cut` of epoch `parent`. No answer rests on whatever `parent` has beyond
 * `cut`, which does not exist, even if it turns up later.
 */
export interface Begin {
  readonly parent: number;
  readonly cut: number;
  /** The format of its records, which a store has to keep: docs/log.md, "Versions". Absent: 1. */
  readonly format?: number;
}

/** A segment: frames that one writer appended, one after the other, during one epoch. */
export interface Segment {
  readonly epoch: number;
  readonly name: string;
  /**
   * True if its writer is certain to append nothing more to it, because it went on in another one or is known to be
   * gone.
   */
  readonly closed: boolean;
  readonly bytes: number;
  /** When it was written to last, where the store knows: milliseconds since 1970. */
  readonly modified?: number;
  /** Bytes before its last frame, where the store knows. */
  readonly lastFrame?: number;
}

/**
 * The last frame that was read of a segment. A writer appends the next one only once this one is durable. So all before
 * it is durable, and a reader cannot know about this one.
 */
export interface LastFrame {
  readonly segment: Segment;
  /** Bytes before it in the segment. */
  readonly offset: number;
  readonly bytes: Buffer;
}

/** The state after commit `n`, which belongs to epoch `epoch`. Everything up to there is folded into it. */
export interface Snapshot {
  readonly epoch: number;
  readonly n: number;
  readonly name: string;
  readonly bytes: number;
}

/**
 * Appends to segments of its own, one after the other.
 *
 * @example
 * const writer = store.createSegment(epoch);
 * try {
 *   await writer.append(frame);
 * } finally {
 *   await writer.close();
 * }
 */
export interface SegmentWriter {
  /**
   * Appends one frame, as durable as the store's mode says once the promise resolves.
   * @throws StoreUnavailableError: the frame may be there in part or in full, and the writer must not be used again
   */
  append(frame: Buffer): Promise<void>;
  /**
   * Looks whether the segment is still there as it was written. Default: it is.
   * @throws StoreUnavailableError where it has lost its name or was truncated: the writer must not be used again
   */
  verify?(): Promise<void>;
  /** Bytes in the segment that it is in now. */
  readonly size: number;
  /** Closes this segment for good; the next frame goes to a new one. */
  roll(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Where the log of one service is kept. Adapters implement this, and all pass the same cases
 * (`log-replay/conformance`). Every method throws StoreUnavailableError if the store cannot be reached or does not take
 * the write.
 *
 * Epochs count from 1. A claim on an epoch is made before anything else of it exists; it seals all epochs below.
 *
 * @example
 * // What an object has to do to be one:
 * for (const [name, holds] of Object.entries(storeCases(makePlace))) test(name, holds);
 */
export interface LogStore {
  /** Made once with the store and never again. It tells the store from an empty place that was mounted by mistake. */
  readonly id: string;

  /**
   * Milliseconds for which a look for a claim counts: until then a process answers reads without another look, and a restore
   * does not make its state visible before that time has passed since its claim. All processes must have the same. Default 0:
   * each group of reads looks.
   */
  readonly readLease?: number;

  /** Claims `epoch`, durably. @returns false where it was claimed before, by anybody */
  claim(epoch: number): Promise<boolean>;
  /** The claimed epochs in ascending order. */
  claims(): Promise<number[]>;
  /**
   * True if the epoch after `epoch` is claimed. Sees every claim that was made before the call.
   * @throws StoreUnavailableError if not even `epoch` itself is claimed: this is no longer the same store
   */
  isSealed(epoch: number): Promise<boolean>;

  /** Writes how a claimed epoch begins: atomically, durably, once. */
  writeBegin(epoch: number, begin: Begin): Promise<void>;
  /**
   * How one epoch begins; undefined where it has not begun, or was forgotten.
   * @throws LogDamageError where what says so cannot be understood
   */
  begin(epoch: number): Promise<Begin | undefined>;
  /**
   * The begun epochs.
   * @param onDamage told of a begin that cannot be understood, which is then left out; default: throws it
   */
  begins(onDamage?: OnDamage): Promise<Map<number, Begin>>;

  /**
   * Removes how epochs begin that a later one has passed over, and the claims below `highest`: one after the other from the
   * lowest, so that the look for a claim never takes an epoch that is over for one that is not. Default: they stay.
   */
  forgetEpochs?(epochs: readonly number[], highest: number): Promise<void>;

  /** A new writer; nothing is created before its first frame. */
  createSegment(epoch: number): SegmentWriter;
  /** The segments of one epoch, or of all, that are there now and not archived. */
  segments(epoch?: number): Promise<Segment[]>;
  /**
   * The segment's bytes as they are now, in chunks of about `chunk` bytes, each valid until the next one is asked for.
   * @param from where to begin; default 0
   * @param asListed true where what it had when it was listed is enough: a store that would have to ask for what came since need not
   * @throws GoneError if it was archived since it was listed
   */
  read(segment: Segment, chunk: number, from?: number, asListed?: boolean): AsyncIterable<Buffer>;
  /**
   * Makes durable what was read of segments, and all names there are: segments, claims, begins. The frames are written
   * again, because after the writer's own sync has failed a second one succeeds and proves nothing.
   * @throws GoneError if a segment was archived meanwhile
   */
  sync(frames: readonly LastFrame[]): Promise<void>;
  /**
   * Truncates a segment that ends in a torn frame to its first `length` bytes, and keeps a copy of the whole, if the segment's
   * writer is known to be gone. Otherwise leaves it as it is, and every reader passes over the torn frame.
   * @returns the name of the copy, or null
   */
  truncate(segment: Segment, length: number): Promise<string | null>;

  /** The newest snapshot that is installed. */
  snapshot(): Promise<Snapshot | null>;
  /**
   * Installs a snapshot: whole and durable, or not at all. Takes all of `content`, unless it gives up before.
   * @returns false if somebody has installed one of this or a later commit already
   */
  installSnapshot(at: Position, content: AsyncIterable<Buffer>): Promise<boolean>;
  /**
   * The snapshot's bytes, as `read` gives a segment's.
   * @throws GoneError if it was removed since it was asked for
   */
  readSnapshot(snapshot: Snapshot, chunk: number): AsyncIterable<Buffer>;
  /**
   * Removes the snapshots of commits before this one's, and what unfinished installations of such snapshots have left.
   */
  removeSnapshots(before: Snapshot): Promise<void>;

  /** Takes segments out of the log and keeps them as history. Segments that are archived already stay so. */
  archive(segments: readonly Segment[]): Promise<void>;
  /** The archived segments of one epoch, or of all. `read` reads them. List these after `segments`, and none is missed. */
  archived(epoch?: number): Promise<Segment[]>;

  /**
   * The names of what is in the store's place and of no kind that it makes. Nobody reads it; somebody may have renamed a
   * segment. Default: nobody can tell.
   */
  strays?(): Promise<string[]>;
}

/**
 * A store whose damaged segments can be replaced.
 *
 * @example
 * const name = await store.setAside(segment);
 */
export interface RepairableStore extends LogStore {
  /**
   * Takes out of the log, durably, under another name, what a segment had when this store listed it; at least: a store that can
   * only take it out whole does so, and what came since can be read under that name. @returns that name
   */
  setAside(segment: Segment): Promise<string>;
}
