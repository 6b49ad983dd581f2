/** The queues of a shop whose checkouts go by events: of a server that is given, or of one that is started. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { queueRegion } from "../../functions/settings/configuration.ts";
import { writeFileAtomically } from "../atomic-file.ts";
import type { Configuration } from "../configuration.ts";
import type { DataFolder } from "../data-folder.ts";
import type { Diagnostics } from "../diagnostics.ts";
import type { Ledger } from "../ledger.ts";
import { StartError } from "../start-error.ts";
import { startOnFreePort } from "../start-on-free-port.ts";
import { SupervisedProcess, type Child } from "../supervised-process.ts";
import { GivenQueues } from "./given-queues.ts";

const NAME = "queues";
const PATIENCE_MS = 2_000;

export class Queues {
  readonly #configuration: Configuration;
  readonly #file: string;
  readonly #ledger: Ledger;
  readonly #diagnostics: Diagnostics;
  readonly #onReadyAgain: () => void;
  #started: SupervisedProcess | undefined;
  #given: GivenQueues | undefined;

  /** @param onReadyAgain told when queues that were lost are there again, empty */
  constructor(
    configuration: Configuration,
    folder: DataFolder,
    ledger: Ledger,
    diagnostics: Diagnostics,
    onReadyAgain: () => void,
  ) {
    this.#configuration = configuration;
    this.#file = join(folder.runDir, `${NAME}.url`);
    this.#ledger = ledger;
    this.#diagnostics = diagnostics;
    this.#onReadyAgain = onReadyAgain;
  }

  /** @returns the server's address; a further host gets that which the shop has, and leaves its queues to the shop @throws StartError */
  async start(): Promise<string> {
    const { hostsOnly, givenQueues } = this.#configuration;
    if (hostsOnly) return givenQueues ?? this.#readUrl();
    const url = givenQueues === undefined ? await this.#startServer() : await this.#startGiven(givenQueues);
    writeFileAtomically(this.#file, `${url}\n`);
    return url;
  }

  async stop(): Promise<void> {
    await this.#given?.stop();
    await this.#started?.stop(PATIENCE_MS);
    if (!this.#configuration.hostsOnly) rmSync(this.#file, { force: true });
  }

  killNow(): void {
    this.#started?.killNow();
  }

  async #startGiven(endpoint: string): Promise<string> {
    this.#given = new GivenQueues({ endpoint, region: queueRegion() }, this.#diagnostics, this.#onReadyAgain);
    await this.#given.start();
    return endpoint;
  }

  async #startServer(): Promise<string> {
    const port = await startOnFreePort("the queue server", (free) => {
      const server = queueServer(free, this.#diagnostics);
      // Also while it starts: whoever is in a hurry then kills it as well.
      return (this.#started = new SupervisedProcess(server, this.#ledger, this.#diagnostics, this.#onReadyAgain));
    });
    return `http://127.0.0.1:${port}`;
  }

  #readUrl(): string {
    try {
      return readFileSync(this.#file, "utf8").trim();
    } catch {
      throw new StartError(`${this.#file} is missing: no shop with SAGA=events runs on this data folder`);
    }
  }
}

function queueServer(port: number, diagnostics: Diagnostics): Child {
  let running: ReturnType<typeof spawn> | undefined;
  return {
    name: NAME,
    spawn: () =>
      (running = diagnostics.withOutput(NAME, (output) =>
        spawn(process.execPath, [join(import.meta.dirname, "queue-server.ts"), String(port)], {
          detached: true,
          stdio: ["ignore", output, output, "ipc"],
        }),
      )),
    async ready(signal) {
      if (running === undefined) throw new Error("it was not started");
      await once(running, "message", { signal });
    },
  };
}
