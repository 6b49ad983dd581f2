/** What happened, as a person would tell it: a death and all that follows from it are one sentence, which goes on while it does. */

/** A sentence of the time line. */
export interface Happening {
  /** When it began; milliseconds since 1970. */
  readonly at: number;
  readonly level: "info" | "good" | "bad";
  readonly service: string | null;
  readonly text: string;
}

/** One thing that a supervisor or a host has written down. `who` is a process: `host`, `redis-stock`, `queues`. */
export type Event = { readonly at: number } & (
  | { readonly kind: "died"; readonly who: string }
  | { readonly kind: "serves"; readonly who: string }
  | { readonly kind: "restoring"; readonly service: string; readonly epoch: number }
  | { readonly kind: "restored"; readonly service: string; readonly epoch: number }
  | { readonly kind: "resumed" }
  | {
      readonly kind: "told";
      readonly level: Happening["level"];
      readonly service: string | null;
      readonly text: string;
    }
);

/** Incidents that are kept; the oldest are forgotten first. */
const MOST = 400;

/** Something that is not over yet. */
interface Incident {
  happening: Happening;
  /** What it begins with. */
  readonly what: string;
  times: number;
  /** What became of it so far. */
  back: string;
}

export class Incidents {
  readonly #all: Happening[] = [];
  /** By process, or `state of SERVICE`. */
  readonly #open = new Map<string, Incident>();
  #version = 0;

  /** Oldest first. */
  get all(): readonly Happening[] {
    return this.#all;
  }

  /** Another one whenever a sentence came or changed. */
  get version(): number {
    return this.#version;
  }

  /** Events of one process in their order. */
  take(event: Event): void {
    switch (event.kind) {
      case "died":
        return this.#begin(event.who, event.at, `${nameOf(event.who)} died`);
      case "serves":
        return this.#serves(event.who, event.at);
      case "restoring": {
        // A log's first epoch restores nothing.
        if (event.epoch === 1) return;
        if (this.#open.has(`redis-${event.service}`)) return this.#continue(`redis-${event.service}`, "restoring");
        const what = `Redis of ${event.service} did not agree with its log`;
        return this.#begin(`state of ${event.service}`, event.at, what);
      }
      case "restored":
        return this.#restored(event);
      case "resumed":
        return this.#resumed(event.at);
      case "told":
        return this.#insert({ at: event.at, level: event.level, service: event.service, text: event.text });
    }
  }

  #begin(name: string, at: number, what: string): void {
    const before = this.#open.get(name);
    if (before !== undefined) {
      before.times++;
      return this.#tell(before, "bad", said(before));
    }
    const happening = { at, level: "bad", service: serviceOf(name), text: what } as const;
    this.#open.set(name, { happening, what, times: 1, back: "" });
    this.#insert(happening);
  }

  #continue(name: string, how: string): void {
    const incident = this.#open.get(name);
    if (incident !== undefined) this.#tell(incident, "bad", `${said(incident)}, ${how}`);
  }

  #serves(who: string, at: number): void {
    const incident = this.#open.get(who);
    if (incident === undefined) return;
    incident.back = `back in ${seconds(at - incident.happening.at)}`;
    const isWhole = !who.startsWith("redis-");
    this.#tell(incident, isWhole ? "good" : "bad", `${said(incident)}, ${incident.back}`);
    // What it held is not back with it: of a host its checkouts, of a Redis its state.
    if (who === "queues") this.#open.delete(who);
  }

  #restored({ at, service, epoch }: Extract<Event, { kind: "restored" }>): void {
    for (const name of [`redis-${service}`, `state of ${service}`]) {
      const incident = this.#open.get(name);
      if (incident === undefined) continue;
      const took = seconds(at - incident.happening.at);
      this.#tell(incident, "good", `${said(incident)}, restored in ${took}, epoch ${epoch}`);
      this.#open.delete(name);
    }
  }

  #resumed(at: number): void {
    const host = [...this.#open].filter(([name]) => name.startsWith("host"));
    for (const [name, incident] of host) {
      const after = seconds(at - incident.happening.at);
      this.#tell(incident, "good", `${said(incident)}, ${incident.back}, open checkouts resumed after ${after}`);
      this.#open.delete(name);
    }
    if (this.#all.every(({ text }) => text !== OPENED) && host.length === 0)
      this.#insert({ at, level: "good", service: null, text: OPENED });
  }

  #tell(incident: Incident, level: Happening["level"], text: string): void {
    const place = this.#all.indexOf(incident.happening);
    incident.happening = { ...incident.happening, level, text };
    if (place >= 0) this.#all[place] = incident.happening;
    this.#version++;
  }

  #insert(happening: Happening): void {
    let place = this.#all.length;
    while (place > 0 && (this.#all[place - 1]?.at ?? 0) > happening.at) place--;
    this.#all.splice(place, 0, happening);
    if (this.#all.length > MOST) this.#all.shift();
    this.#version++;
  }
}

const OPENED = "the shop is open: every service is restored";

const said = ({ what, times }: Incident): string => (times > 1 ? `${what}, ${times} times` : what);

function nameOf(process: string): string {
  const service = serviceOf(process);
  if (service !== null) return `Redis of ${service}`;
  return process === "queues" ? "the queues" : process === "host" ? "the host" : process.replace("-", " ");
}

function serviceOf(name: string): string | null {
  return /^(?:redis-|state of )(\w+)$/.exec(name)?.[1] ?? null;
}

function seconds(milliseconds: number): string {
  return milliseconds < 100 ? `${Math.max(0, milliseconds)} ms` : `${(milliseconds / 1_000).toFixed(1)} s`;
}
