/** The append of a process: epoch-writer.ts of the layer. */
import type { Visit } from "../explorer.ts";
import { above, joined, NOTHING, txAt } from "./runs.ts";
import { isSealed, syncFrame, withFrame } from "./store.ts";
import {
  withLane,
  withProcess,
  type AppendRequest,
  type Guard,
  type LaneState,
  type LogState,
  type ProcessState,
  type WriterState,
} from "./state.ts";
import type { Run } from "./runs.ts";
import { isLeft, nameOf, spend, type World } from "./world.ts";

export function newWriter(world: World, epoch: number, former: WriterState | null): WriterState {
  const fresh: WriterState = {
    epoch,
    over: false,
    enqueued: -1,
    durable: -1,
    seen: -1,
    known: NOTHING,
    waiting: null,
    writing: null,
  };
  if (!world.flaws.has("durable carried over") || former === null) return fresh;
  return { ...fresh, enqueued: former.enqueued, durable: former.durable };
}

/** Enqueues what is new of `entries`; a writer that is over, or of another epoch by now, takes nothing. */
export function append(state: LogState, p: number, guard: Guard, entries: Run, upTo: number): LogState {
  const { writer } = state.processes[p] as ProcessState;
  if (writer === null || writer.epoch !== guard.epoch || writer.over) return state;
  const news = above(entries, writer.enqueued);
  const enqueued = Math.max(writer.enqueued, upTo);
  const known = joined(writer.known, news);
  if (news.txs === "" && writer.durable >= upTo) return withProcess(state, p, { writer: { ...writer, enqueued } });
  const before: AppendRequest = writer.waiting ?? { from: 0, txs: "", upTo: 0 };
  const waiting = { ...joined(before, news), upTo: Math.max(before.upTo, upTo) };
  return withProcess(state, p, { writer: { ...writer, enqueued, known, waiting } });
}

/** What the process has seen of the state. */
export function sees(state: LogState, p: number, epoch: number, last: number): LogState {
  const { writer } = state.processes[p] as ProcessState;
  if (writer?.epoch !== epoch || writer.seen >= last) return state;
  return withProcess(state, p, { writer: { ...writer, seen: last } });
}

/** Ends what the process does in an epoch: its state is older than what the process has seen, or than the log. */
export function abandon(state: LogState, p: number, epoch: number): LogState {
  const { writer } = state.processes[p] as ProcessState;
  if (writer?.epoch !== epoch) return state;
  return withProcess(state, p, { writer: { ...writer, over: true, waiting: null, writing: null } });
}

/** Whether a number of the entries has gone to another transaction, as far as the process knows. */
export function isTaken({ known }: WriterState, entries: Run): boolean {
  return Array.from(entries.txs).some((tx, i) => (txAt(known, entries.from + i) ?? tx) !== tx);
}

export function waitFor(state: LogState, p: number, l: number, stage: LaneState["stage"], n: number): LogState {
  return withLane(state, p, l, { stage, n, reply: { from: 0, txs: "" } });
}

export function writerSteps(world: World, state: LogState, p: number, visit: Visit<LogState>): void {
  const { writer, lanes } = state.processes[p] as ProcessState;
  if (writer === null || writer.over) return;
  const who = nameOf(world, p);
  const to = (change: Partial<WriterState>, store = state.store): LogState =>
    withProcess({ ...state, store }, p, { writer: { ...writer, ...change } });
  const failed = { over: true, waiting: null, writing: null };
  const { waiting, writing } = writer;

  if (writing === null && waiting !== null) {
    if (waiting.txs === "")
      return visit(`${who}: has nothing to append`, to({ waiting: null, writing: { ...waiting, stage: "synced" } }));
    const frame = { epoch: writer.epoch, from: waiting.from, txs: waiting.txs, synced: false };
    visit(
      `${who}: writes the frame ${show(waiting)} of epoch ${writer.epoch}`,
      to({ waiting: null, writing: { ...waiting, stage: "written" } }, withFrame(state.store, frame)),
    );
    if (isLeft(state, "append"))
      visit(`${who}: writing the frame ${show(waiting)} fails, it is torn`, spend(to(failed), "append"), "fault");
  }
  if (writing?.stage === "written") {
    const frame = { epoch: writer.epoch, from: writing.from, txs: writing.txs };
    const volatile = world.flaws.has("folder not synced");
    const early = world.flaws.has("durable before the claim check")
      ? { durable: Math.max(writer.durable, writing.upTo) }
      : {};
    visit(
      `${who}: fdatasync`,
      to(
        { ...early, writing: { ...writing, stage: "synced" } },
        volatile ? state.store : syncFrame(state.store, frame),
      ),
    );
    if (isLeft(state, "append")) {
      const believed = world.flaws.has("failed fsync tried again");
      visit(
        `${who}: fdatasync fails${believed ? ", is tried again and succeeds without having written" : ""}`,
        spend(to(believed ? { writing: { ...writing, stage: "synced" } } : failed), "append"),
        "fault",
      );
    }
  }
  if (writing?.stage === "synced") {
    const reading = lanes.some(({ stage, seen, n }) => stage === "appending" && seen !== "" && n === writing.upTo);
    const unchecked =
      world.flaws.has("append without claim check") || (reading && world.flaws.has("read without claim check"));
    if (isSealed(state.store, writer.epoch) && !unchecked)
      return visit(`${who}: finds the claim on epoch ${writer.epoch + 1}`, to(failed));
    visit(
      `${who}: finds no claim on epoch ${writer.epoch + 1}, all up to ${writing.upTo} is durable`,
      to({ writing: null, durable: Math.max(writer.durable, writing.upTo) }),
    );
  }
}

const show = ({ from, txs }: Run): string => `${from}:${txs}`;
