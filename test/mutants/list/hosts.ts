/** The hosts: who starts what again, who resumes what was begun, and how a host takes on and ends its work. */
import type { Mutant } from "../mutant.ts";

const host = (mutant: Omit<Mutant, "project"> & { readonly project?: string }): Mutant => ({
  project: "host",
  ...mutant,
  file: `host/${mutant.file}`,
});
const SERVER = "host/test/server\\.test";
const SUPERVISION = "host/test/supervision";

export const HOSTS: readonly Mutant[] = [
  host({
    what: "a host that dies is not started again",
    file: "supervised-process.ts",
    before: "      await this.#exited;\n      if (this.#isStopping()) return;\n      deaths",
    after: `      await this.#exited;\n      if (this.#isStopping() || name === "host") return;\n      deaths`,
    promise: "a function's host dies",
    tests: SUPERVISION,
    name: "a host that is killed is started again",
  }),
  host({
    what: "a Redis that comes back is restored by whoever asks next",
    file: "supervised-process.ts",
    before: "        this.#onReadyAgain();\n",
    after: "",
    promise: ["one Redis dies", "the scheduler stops"],
    tests: SUPERVISION,
    name: "a Redis that is killed is started again",
  }),
  host({
    what: "only the first of the services is restored",
    file: "recovery.ts",
    before: "await Promise.all(SERVICES.map((service) => this.#untilItSucceeds(`${service}-maintain`)));",
    after: "await this.#untilItSucceeds(`${SERVICES[0]}-maintain`);",
    promise: "all Redis and a host die at once",
    tests: SUPERVISION,
    name: "all three Redis servers killed at once",
  }),
  host({
    what: "open sagas are not resumed after a start",
    file: "recovery.ts",
    before: `      await this.#untilItSucceeds("order-resume-sagas");\n`,
    after: "",
    promise: ["every process dies", "the scheduler stops", "A checkout whose driver is gone"],
    project: "serve",
    tests: "test/restart",
    name: "a checkout that was cut short is settled by the next start itself",
  }),
  host({
    what: "a start leaves alone what a dead supervisor left behind",
    file: "ledger.ts",
    before: "filter(([, child]) => isAlive(child));\n    for (const [, child] of left) signalGroup",
    after: "filter(() => false);\n    for (const [, child] of left) signalGroup",
    promise: ["the supervisor dies", "every process dies"],
    tests: "host/test/start-and-stop",
    name: "a supervisor that was killed does not block the next start",
  }),
  host({
    what: "a start on a damaged log goes on trying and says nothing",
    file: "recovery.ts",
    before:
      "      if (final !== undefined && isStart) throw new StartError(final.message);\n      for (const { message } of problems) this.#say(message);\n",
    after: "",
    promise: "the log is damaged",
    tests: "host/test/start-explains",
    name: "a log that is damaged ends the start",
  }),
  host({
    what: "a request that has waited too long keeps its place in the queue",
    file: "http/admission.ts",
    before: "        settle();\n        reject(",
    after: "        reject(",
    promise: "Redis hangs",
    tests: SERVER,
    name: "who waits too long gives its place in the queue back",
  }),
  host({
    what: "a queued request whose client has left is begun",
    file: "http/admission.ts",
    before: `      client.once("end", left).once("close", left);\n`,
    after: "",
    promise: "A queued request whose client has left",
    tests: SERVER,
    name: "a queued request whose client has left",
  }),
  host({
    what: "a host that stops says that it is ready",
    file: "http/server.ts",
    before: "const ready = !this.#draining && Object",
    after: "const ready = Object",
    promise: "`GET /ready` is 200",
    tests: SERVER,
    name: "/ready is 503 while the host stops",
  }),
  host({
    what: "a host that stops breaks off what is under way",
    file: "http/server.ts",
    before: "    await Promise.race([closed, sleep(patience, undefined, { ref: false })]);\n",
    after: "    void closed;\n    void patience;\n",
    promise: "After SIGTERM the host takes no new work",
    tests: SERVER,
    name: "drain: what is under way is answered",
  }),
  host({
    what: "the services' calls wait behind those that wait for them",
    file: "http/server.ts",
    before: "(own ? this.#services : this.#clients)",
    after: "(own ? this.#clients : this.#clients)",
    promise: "Redis hangs",
    tests: SERVER,
    name: "calls between the services have a place of their own",
  }),
];
