import type { OnDamage } from "./frame.ts";

/** `always`: on the disk before an append resolves. `os`: handed to the kernel; survives the process, not a power loss. */
export type Durability = "always" | "os";

/**
 * How an epoch starts: it goes on from commit `cut` of epoch `parent`. Whatever `parent` has beyond `cut` was never
 * answered for and does not exist, even if it turns up later.
 */
export interface Begin {
  readonly parent: number;
  readonly cut: number;
}

/** A segment: frames that one writer appended during one epoch. */
export interface Segment {
  readonly epoch: number;
  readonly name: string;
}

/** Appends to a segment of its own. */
export interface SegmentWriter {
  /**
   * Appends one frame, as durable as the store's mode says once the promise resolves.
   * @throws StoreUnavailableError: the frame may be there in part or in full, and the writer must not be used again
   */
  append(frame: Buffer): Promise<void>;
  /** Bytes appended so far. */
  readonly size: number;
  close(): Promise<void>;
}

/**
 * Where the log of one service lives. Adapters fill this in; they all pass the same conformance suite.
 * Every method throws StoreUnavailableError where the store cannot be reached or does not take the write.
 *
 * Epochs count from 1. A claim on an epoch is made before anything else of it exists; it seals all epochs below.
 */
export interface LogStore {
  /** Made once with the store and never again: tells it from an empty place that was mounted by mistake. */
  readonly id: string;

  /** Claims `epoch`, durably. @returns false where it was claimed before, by anybody */
  claim(epoch: number): Promise<boolean>;
  /** The claimed epochs in ascending order. */
  claims(): Promise<number[]>;
  /**
   * True where the epoch after `epoch` is claimed. Sees every claim that was made before the call.
   * @throws StoreUnavailableError where not even `epoch` itself is claimed: this is no longer the same store
   */
  isSealed(epoch: number): Promise<boolean>;

  /** Writes how a claimed epoch begins: atomically, durably, once. */
  writeBegin(epoch: number, begin: Begin): Promise<void>;
  /**
   * The begun epochs.
   * @param onDamage told of a beginning that cannot be understood, which is then left out; default: throws it
   */
  begins(onDamage?: OnDamage): Promise<Map<number, Begin>>;

  /** A new segment for this process; nothing is created before its first frame. */
  createSegment(epoch: number): SegmentWriter;
  /** The segments of one epoch that are there now. */
  segments(epoch: number): Promise<Segment[]>;
  /**
   * The segment's bytes as they are now, in chunks of about `chunk` bytes, each valid until the next one is asked for.
   * @param from where to begin; default 0
   */
  read(segment: Segment, chunk: number, from?: number): AsyncIterable<Buffer>;
  /** Makes durable what was read of the segments, and their being there. */
  sync(segments: readonly Segment[]): Promise<void>;
  /**
   * Cuts a torn frame off, with a copy kept, where the segment's writer is known to be gone; else leaves it there,
   * where every reader passes over it.
   * @returns the name of the copy, or null
   */
  cut(segment: Segment, length: number): Promise<string | null>;
}

/** A store whose damaged segments can be replaced. */
export interface RepairableStore extends LogStore {
  /** Takes a segment out of the log, durably, under another name. @returns that name */
  setAside(segment: Segment): Promise<string>;
}
