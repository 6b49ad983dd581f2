/** What is going to happen in a round of the crash suite. It follows from what was asked for and a seed, and from nothing else. */
import { BY_EVENTS } from "../support/saga-mode.ts";
import { actionsAt, pointsOfMode, type Action, type FailPoint, type Fault } from "./faults/catalogue.ts";
import { Random } from "./support/random.ts";
import { SERVICES, type Service } from "./support/lean-shop.ts";

/** From outside, once this share of the requests has been sent. */
export interface Event {
  readonly share: number;
  /**
   * `empty`: the Redis loses everything and lives on; `kill`: it dies and an empty one follows; `older`: it dies and one with a copy of
   * the round's beginning follows; `replica`: it follows a replica that lags, and returns; `power`: all at once, and what was not synced
   * is lost; `queues`: the queue server dies with all it holds.
   */
  readonly what: "empty" | "kill" | "older" | "replica" | "power" | "queues";
  readonly services: readonly Service[];
}

export interface Plan {
  readonly name: string;
  readonly seed: number;
  /**
   * By host, then by life: the first is what the host is told once the sale is open, the others are what it begins
   * with.
   */
  readonly faults: readonly (readonly (readonly Fault[])[])[];
  readonly events: readonly Event[];
  /** It has to strike, or the round has shown nothing. */
  readonly target: Fault | null;
}

/** Rounds that follow each other on one shop. */
export interface Chapter {
  readonly seed: number;
  readonly plans: readonly Plan[];
  /** Each request between the services is executed twice. */
  readonly repeats: boolean;
  readonly mayLosePower: boolean;
}

const POINTS = pointsOfMode();

/** Every place with everything that can happen there. */
export function singles(): { readonly point: FailPoint; readonly action: Action }[] {
  return POINTS.flatMap((point) => actionsAt(point).map((action) => ({ point, action })));
}

/** Places that only a restore passes. */
const IN_RESTORES = /^(lock|claim|sync|truncate|begin|wipe|chunk|guard)[.]/;

/** One fault, in circumstances that lead to its place. */
export function single({ point, action }: { readonly point: FailPoint; readonly action: Action }, seed: number): Plan {
  const random = new Random(seed);
  const target: Fault = {
    point,
    action,
    nth: IN_RESTORES.test(point) || point.startsWith("saga.") ? 1 : random.integer(1, 6),
    ...late(point, action, random),
  };
  const lost: Event = { share: 0.4, what: random.one(["empty", "kill"]), services: SERVICES };
  const way = wayTo(point);
  const host = (first: readonly Fault[]): readonly (readonly Fault[])[] => [
    first,
    point.startsWith("truncate.") ? [target] : [],
  ];
  return {
    name: `${point}:${action}`,
    seed,
    // Any host may be the first to pass a place in a restore. Only one may tear a frame, or nobody is left to
    // truncate its segment.
    faults: [host([...way, target]), host([...(point.startsWith("truncate.") ? [] : way), target])],
    events: IN_RESTORES.test(point) ? [lost] : [],
    target,
  };
}

/** An answer that comes later than its caller waits is lost. */
function late(point: FailPoint, action: Action, random: Random): { readonly ms?: number } {
  return point === "answer.before" && action === "delay" && random.next() < 0.5 ? { ms: 5_000 } : {};
}

/** What has to happen before a process comes by this place. */
function wayTo(point: FailPoint): readonly Fault[] {
  if (point.startsWith("truncate.")) return [{ point: "append.before", action: "torn", nth: 4 }];
  if (point.startsWith("fence."))
    return Array.from({ length: 20 }, (_, i) => ({ point: "exec.after", action: "drop", nth: 3 * (i + 1) }));
  // By events it is the message that is later than the saga's own time, and so is each that is sent in its place, and each of them
  // once more where all are repeated.
  if (BY_EVENTS && /^saga[.](abandoned|refund|release|closed)[.]/.test(point))
    return Array.from({ length: 120 }, (_, i) => ({
      point: "saga.charge.before",
      action: "delay",
      nth: i + 1,
      ms: 2_500,
    }));
  // The driver is later than its saga's deadline, so whoever resumes it undoes both steps.
  if (/^saga[.](abandoned|refund|release|closed)[.]/.test(point))
    return [{ point: "saga.charge.after", action: "delay", nth: 1, ms: 1_500 }];
  return [];
}

/** Two faults at places, in lives and in circumstances that the seed chooses. */
export function pair(seed: number): Plan {
  const random = new Random(seed);
  const faults: Fault[][][] = [
    [[], [], []],
    [[], [], []],
  ];
  const names = [0, 1].map(() => {
    const point = random.one(POINTS);
    const fault: Fault = {
      point,
      action: random.one(actionsAt(point)),
      nth: random.integer(1, IN_RESTORES.test(point) ? 2 : 12),
    };
    const [host, life] = [random.integer(0, 1), random.one([0, 0, 0, 1])];
    faults[host]![life]!.push(fault);
    return `${point}:${fault.action}:${fault.nth}@${host}.${life}`;
  });
  return { name: names.join(" and "), seed, faults, events: someEvents(random), target: null };
}

function someEvents(random: Random): Event[] {
  return Array.from({ length: random.integer(1, 2) }, (): Event => ({
    share: random.integer(1, 8) / 10,
    what: random.one(["empty", "kill", "older", "replica", ...(BY_EVENTS ? (["queues"] as const) : [])] as const),
    services: random.shuffled(SERVICES).slice(0, random.integer(1, 3)),
  })).sort((a, b) => a.share - b.share);
}

/** The power fails in the middle of it, perhaps with a fault before that. */
export function powerLoss(seed: number): Plan {
  const random = new Random(seed);
  const plan = pair(seed);
  const share = random.integer(2, 8) / 10;
  return {
    ...plan,
    name: `power loss, ${plan.name}`,
    events: [...plan.events, { share, what: "power" as const, services: SERVICES }].sort((a, b) => a.share - b.share),
  };
}

/** Every single fault once, in chapters of a dozen, as far as the plans are wanted. */
export function singleChapters(seed: number, wanted: (plan: Plan) => boolean = () => true): Chapter[] {
  const plans = new Random(seed)
    .shuffled(singles())
    .map((what, i) => single(what, seed + i))
    .filter(wanted);
  return Array.from({ length: Math.ceil(plans.length / ROUNDS) }, (_, i) => ({
    seed,
    plans: plans.slice(i * ROUNDS, (i + 1) * ROUNDS),
    repeats: i % 2 === 1,
    mayLosePower: false,
  }));
}

/** A dozen rounds with pairs of faults, and a power cut in every third of them. */
export function pairChapter(seed: number): Chapter {
  const plans = Array.from({ length: ROUNDS }, (_, i) => (i % 3 === 2 ? powerLoss : pair)(seed * ROUNDS + i));
  return { seed, plans, repeats: seed % 2 === 1, mayLosePower: true };
}

const ROUNDS = 12;
