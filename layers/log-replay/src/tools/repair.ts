import { GoneError } from "../errors.ts";
import { encodeFrame } from "../format/frame.ts";
import { formatOf, named } from "../format/version.ts";
import { stretchesAfter } from "../read/newest-snapshot.ts";
import { chain, isPassedOver, lastBegun, type Stretch } from "../protocol.ts";
import { claimNext } from "../recover/recovery.ts";
import type { Position } from "../format/record.ts";
import type { Begin, LogStore, RepairableStore, Segment } from "../stores/store.ts";
import { EpochReader } from "../read/epoch-reader.ts";
import { findLostClaims } from "./lost-claims.ts";
import { findStrays, type Stray } from "./strays.ts";
import { salvage, type Salvage } from "./salvage.ts";
import type { OnTorn } from "../read/segment-cursor.ts";
import { verify, type Finding } from "./verify.ts";

/** What can be done about the damage of a log. Nothing is done yet. */
export interface RepairPlan {
  /** What is wrong. */
  readonly damages: readonly Finding[];
  /** Segments that are replaced by what is intact in them, line by line; the old ones are kept under another name. */
  readonly replace: readonly Segment[];
  /** Lost claims, above the lowest one that is there; and lost begins as the records around them tell them. */
  readonly claims: readonly number[];
  readonly begins: ReadonlyMap<number, Begin>;
  /**
   * Where the history has to end, because the commit after it is in no segment, or spoilt in the only one that had it; null
   * where nothing is lost. `lost`: how many commits after it may have been answered for.
   */
  readonly cut: (Position & { readonly lost: number }) | null;
  /** Torn ends. They do no harm, and are removed if their writer is known to be gone. */
  readonly torn: readonly { readonly segment: Segment; readonly offset: number }[];
  /** Files of no known kind. One may be a segment that was renamed: with its name back, what it holds is not missing. */
  readonly strays: readonly Stray[];
  /** What cannot be repaired. If there is any, nothing may be done. */
  readonly hopeless: readonly string[];
}

/**
 * Finds out what a repair would do. @throws StoreUnavailableError
 *
 * @example
 * const { damages, cut, hopeless } = await planRepair(store);
 * if (cut !== null) console.log(`${cut.lost} commits after ${cut.epoch}:${cut.n} would not count any more`);
 */
export async function planRepair(store: LogStore): Promise<RepairPlan> {
  const damages = await damagesOf(store);
  const hopeless = damages
    .filter(({ what }) => what.includes("differs from"))
    .map(({ file, line, what }) => `${file}:${line}: ${what}: nobody can say which is true`);
  const found = await store.begins(() => undefined);
  const claimed = await store.claims();
  const claims = await findLostClaims(store, found.keys());
  const begins = await lostBegins(store, found, claimed);
  const known = new Map([...found, ...begins]);
  const history = chain(known, lastBegun(known));
  const snapshot = await store.snapshot();
  if (damages.some(({ file }) => file === snapshot?.name))
    hopeless.push(
      `${snapshot?.name} is damaged: put the segments of the archive back into the log's folder, and take the snapshot away`,
    );
  if (history === null) hopeless.push("the chain of epochs is broken in a way that the records do not tell");

  const replace: Segment[] = [];
  const torn: { segment: Segment; offset: number }[] = [];
  const files = new Set(damages.map(({ file }) => file));
  for (const epoch of new Set([...claimed, ...known.keys()])) {
    for (const segment of await store.segments(epoch)) {
      if (files.has(segment.name) && damages.some(({ file, line }) => file === segment.name && line > 0))
        replace.push(segment);
    }
  }
  const onTorn: OnTorn = (segment, { offset }) => {
    if (!replace.includes(segment) && torn.every((other) => other.segment.name !== segment.name))
      torn.push({ segment, offset });
  };
  // No restore reads what the snapshot holds: a hole in the archive is a hole in what can be told, not in the state.
  const cut =
    history === null || hopeless.length > 0
      ? null
      : await firstMissing(store, stretchesAfter(history, snapshot), await salvageAll(store, replace), onTorn);
  return {
    damages,
    replace,
    claims,
    begins,
    cut,
    torn: torn.filter(({ segment }) => !files.has(segment.name)),
    strays: await findStrays(store),
    hopeless,
  };
}

/** What a repair did: the copies that it kept, and the epoch that it began where the history had to be cut. */
export interface Repaired {
  readonly copies: readonly { readonly segment: string; readonly copy: string }[];
  readonly epoch: number | null;
}

/**
 * Does what was planned. What was intact is durable in a new segment before the old one is taken away, so a repair may
 * break off anywhere and be planned anew.
 * @throws TypeError where the plan says that it is hopeless; GoneError where a recovery came between; StoreUnavailableError
 *
 * @example
 * const plan = await planRepair(store);
 * if (plan.hopeless.length === 0) await repair(store, plan);
 */
export async function repair(store: RepairableStore, plan: RepairPlan): Promise<Repaired> {
  if (plan.hopeless.length > 0) throw new TypeError(plan.hopeless.join("; "));
  const copies: { segment: string; copy: string }[] = [];
  if (plan.claims.length > 0) await claimAgain(store);
  for (const { epoch, name } of plan.replace) {
    // Listed now, and here: what is read is what is set aside. One that is not there any more was archived, or repaired.
    const segment = (await store.segments(epoch)).find((each) => each.name === name);
    if (segment !== undefined) copies.push({ segment: name, copy: await rewriteAndSetAside(store, segment) });
  }
  for (const [epoch, begin] of plan.begins) await store.writeBegin(epoch, begin);
  for (const { segment, offset } of plan.torn) {
    const copy = await store.truncate(segment, offset);
    if (copy !== null) copies.push({ segment: segment.name, copy });
  }
  if (plan.cut === null) return { copies, epoch: null };
  const epoch = await claimNext(store);
  const format = formatOf((await store.begins()).values());
  await store.writeBegin(epoch, { parent: plan.cut.epoch, cut: plan.cut.n, ...named(format) });
  // Whoever claimed before this look may have read the log without this begin, and may go on from another commit.
  if (await store.isSealed(epoch))
    throw new GoneError(`epoch ${epoch} was ended by another recovery: plan the repair anew`);
  return { copies, epoch };
}

/**
 * From the highest one down, so that each finds the next one there, wherever this breaks off: else its epoch would be taken for one
 * that is not over. What is lost is looked for anew each time, because others may have removed what a plan, or a look, has seen.
 */
async function claimAgain(store: LogStore): Promise<void> {
  for (;;) {
    const lost = await findLostClaims(store, (await store.begins(() => undefined)).keys());
    if (lost.length === 0) return;
    for (const epoch of lost.reverse()) await store.claim(epoch);
  }
}

async function damagesOf(store: LogStore): Promise<Finding[]> {
  const damages: Finding[] = [];
  for await (const finding of verify(store)) if (finding.kind === "damage") damages.push(finding);
  return damages;
}

/**
 * An epoch goes on after the commit before its first one, or, if it has none, where the next epoch goes on. Its parent
 * is the last epoch that had begun before it. How one began that was passed over may have been forgotten, and is not lost.
 */
async function lostBegins(
  store: LogStore,
  found: ReadonlyMap<number, Begin>,
  claimed: readonly number[],
): Promise<Map<number, Begin>> {
  const lost = new Map<number, Begin>();
  const highest = Math.max(0, ...found.keys(), ...claimed);
  for (let epoch = 1; epoch <= highest; epoch++) {
    if (found.has(epoch) || isPassedOver(epoch, found)) continue;
    const cut =
      (await firstCommit(store, epoch)) ??
      Math.min(Infinity, ...[...found.values()].filter(({ parent }) => parent === epoch).map((begin) => begin.cut + 1));
    if (cut === Infinity) continue;
    lost.set(epoch, {
      parent: Math.max(0, ...[...found.keys(), ...lost.keys()].filter((other) => other < epoch)),
      cut: cut - 1,
      ...named(formatOf(found.values())),
    });
  }
  return lost;
}

async function firstCommit(store: LogStore, epoch: number): Promise<number | null> {
  const reader = new EpochReader(store, { epoch, from: 0 }, { onDamage: () => undefined });
  try {
    for await (const { n } of reader.rest()) return n;
    return null;
  } finally {
    await reader.close();
  }
}

/** Of each epoch, what its damaged segments still tell. */
type Salvaged = ReadonlyMap<number, { readonly intact: readonly number[]; readonly spoilt: readonly number[] }>;

async function salvageAll(store: LogStore, replaced: readonly Segment[]): Promise<Salvaged> {
  const found = new Map<number, { intact: Set<number>; spoilt: Set<number> }>();
  for (const segment of replaced) {
    const { entries, spoilt } = await salvage(store, segment);
    const own = found.get(segment.epoch) ?? { intact: new Set(), spoilt: new Set() };
    found.set(segment.epoch, own);
    for (const { n } of entries) own.intact.add(n);
    for (const n of spoilt) own.spoilt.add(n);
  }
  const ascending = (numbers: Iterable<number>): number[] => [...numbers].sort((a, b) => a - b);
  return new Map(
    [...found].map(([epoch, { intact, spoilt }]) => [epoch, { intact: ascending(intact), spoilt: ascending(spoilt) }]),
  );
}

/**
 * The last commit before the first one that no segment has, with what follows it; null where all are there. At the end of
 * the history a commit is missing where its line is there, spoilt, and no segment has it whole.
 */
async function firstMissing(
  store: LogStore,
  history: readonly Stretch[],
  salvaged: Salvaged,
  onTorn: OnTorn,
): Promise<RepairPlan["cut"]> {
  let missing: Position | null = null;
  let end = 0;
  for (const { epoch, from, to } of history) {
    let next = from + 1;
    for await (const n of commitsIn(store, epoch, from, salvaged.get(epoch)?.intact ?? [], onTorn)) {
      if (n > to) break;
      if (n > next) missing ??= { epoch, n: next - 1 };
      next = n + 1;
    }
    if (to !== Infinity && next <= to) missing ??= { epoch, n: next - 1 };
    end = to === Infinity ? next - 1 : to;
    const beyond = to === Infinity ? (salvaged.get(epoch)?.spoilt ?? []).filter((n) => n >= next).length : 0;
    if (beyond > 0) missing ??= { epoch, n: end };
    end += beyond;
  }
  return missing === null ? null : { ...missing, lost: end - missing.n };
}

/**
 * The numbers of an epoch's commits above `from` that are intact, whether their frames are or not; ascending, each
 * once.
 */
async function* commitsIn(
  store: LogStore,
  epoch: number,
  from: number,
  salvaged: readonly number[],
  onTorn: OnTorn,
): AsyncGenerator<number> {
  const rescued = salvaged.filter((n) => n > from);
  let next = 0;
  const reader = new EpochReader(store, { epoch, from }, { onTorn, onDamage: () => undefined });
  try {
    for await (const { n } of reader.rest()) {
      for (; next < rescued.length && (rescued[next] as number) < n; next++) yield rescued[next] as number;
      if (rescued[next] === n) next++;
      yield n;
    }
  } finally {
    await reader.close();
  }
  yield* rescued.slice(next);
}

const LINES = 1_000;

/** @returns the name under which the damaged segment is kept */
async function rewriteAndSetAside(store: RepairableStore, segment: Segment): Promise<string> {
  const { entries } = await salvage(store, segment);
  await rewrite(store, segment.epoch, entries);
  const copy = await store.setAside(segment);
  // Its writer may live, and have appended and answered for more before it was set aside.
  const known = new Set(entries.map(({ n }) => n));
  const since = (await salvage(store, { ...segment, name: copy })).entries.filter(({ n }) => !known.has(n));
  await rewrite(store, segment.epoch, since);
  return copy;
}

/** Puts what is intact in a segment into a new one of this process. */
async function rewrite(store: LogStore, epoch: number, entries: Salvage["entries"]): Promise<void> {
  const writer = store.createSegment(epoch);
  try {
    for (let i = 0; i < entries.length; i += LINES) await writer.append(encodeFrame(entries.slice(i, i + LINES)));
  } finally {
    await writer.close();
  }
}
