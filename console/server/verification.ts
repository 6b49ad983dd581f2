import { verify, type Finding, type Law } from "log-replay/tools";
import { lawOf } from "../../tools/open-logs.ts";
import type { ServiceLog } from "./service-log.ts";

/** Findings of a service that are kept. */
const MOST = 100;

export interface VerifiedService {
  readonly service: string;
  /** Commits that were looked at. */
  readonly done: number;
  readonly damages: number;
  readonly findings: readonly Finding[];
  readonly ended: boolean;
}

export interface VerifyReport {
  readonly state: "idle" | "running" | "done" | "failed";
  /** When it ended, or began; milliseconds since 1970. */
  readonly at: number | null;
  readonly services: readonly VerifiedService[];
  readonly problem: string | null;
}

/** Every checksum, every commit, every law: when somebody asks, and one run at a time for all who ask. */
export class Verification {
  readonly #logs: readonly ServiceLog[];
  #report: VerifyReport = { state: "idle", at: null, services: [], problem: null };

  constructor(logs: readonly ServiceLog[]) {
    this.#logs = logs;
  }

  get report(): VerifyReport {
    return this.#report;
  }

  start(): VerifyReport {
    if (this.#report.state !== "running") void this.#run();
    return this.#report;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    this.#report = { state: "running", at: Date.now(), services: [], problem: null };
    try {
      for (const log of this.#logs) await this.#one(log);
      this.#report = { ...this.#report, state: "done", at: Date.now() };
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      this.#report = { ...this.#report, state: "failed", problem };
    }
  }

  async #one({ service, store }: ServiceLog): Promise<void> {
    const before = this.#report.services;
    let now: VerifiedService = { service, done: 0, damages: 0, findings: [], ended: false };
    const tell = (more: Partial<VerifiedService>): void => {
      now = { ...now, ...more };
      this.#report = { ...this.#report, services: [...before, now] };
    };
    let done = 0;
    const lawOfShop = lawOf(service);
    const law: Law = (record, image) => {
      if (++done % 1_000 === 0) tell({ done });
      return lawOfShop(record, image);
    };
    tell({});
    const reading = verify(store, { law });
    for (;;) {
      const next = await reading.next();
      if (next.done === true) return tell({ done: next.value.records, damages: next.value.damages, ended: true });
      if (now.findings.length < MOST) tell({ findings: [...now.findings, next.value] });
    }
  }
}
