import { command, confirmed, count, paint, print, printJson } from "log-replay/cli";
import { SERVICES } from "../../functions/settings/services.ts";
import { serviceOf } from "../open-logs.ts";
import { Queue, textOf, type DeadLetter } from "../queues.ts";

export const queues = command({
  name: "queues",
  arguments: "",
  what: "of checkouts by events: what waits, what is worked on, and the messages that could not be handled",
  examples: ["queues", "queues --json"],
  options: { json: { what: "one JSON object a service, for programs" } },
  run: async (_, { json = false }) => show(json),
});

/** What waits, what is worked on, how old the oldest is, and what could not be handled. */
async function show(json: boolean): Promise<void> {
  for (const service of SERVICES) {
    const queue = new Queue(service);
    try {
      const { figures } = queue;
      const [depth, oldest, letters] = await Promise.all([
        figures.depth(),
        queue
          .oldest()
          .catch((error: unknown) => void process.stderr.write(`${service}: ${(error as Error).message}\n`)),
        queue.deadLetters(),
      ]);
      await queue.putBack(letters);
      if (json) {
        await printJson({ service, ...depth, oldest: oldest ?? null, deadLetters: letters.map(toJson) });
        continue;
      }
      const age =
        oldest === null || oldest === undefined
          ? ""
          : `, the oldest for ${Math.round((Date.now() - oldest) / 1_000)} s`;
      const dead = depth.dead === 0 ? "no dead letters" : paint("red", count(depth.dead, "dead letter"));
      await print(`${service.padEnd(7)}  ${depth.waiting} waiting, ${depth.inFlight} in flight${age}, ${dead}`);
      for (const letter of letters) await print(`         ${described(letter)}`);
    } finally {
      queue.close();
    }
  }
}

export const redrive = command({
  name: "redrive",
  arguments: "<service>",
  what: "has the messages that could not be handled tried once more: says which, and asks",
  examples: ["redrive stock", "redrive stock --yes"],
  options: { yes: { what: "does not ask" } },
  run: ([service = ""], { yes = false }) => sendAgain(service, yes),
});

/** Has the dead letters of a service handled once more. */
async function sendAgain(service: string, yes: boolean): Promise<void> {
  const queue = new Queue(serviceOf(service).name);
  try {
    const letters = await queue.deadLetters();
    for (const letter of letters) await print(described(letter));
    if (letters.length > 0 && !(await confirmed(`Send ${count(letters.length, "message")} to ${service} again?`, yes)))
      return await queue.putBack(letters);
    await queue.redrive(letters);
    await print(`${service}: ${count(letters.length, "message")} sent again`);
  } finally {
    queue.close();
  }
}

function described(letter: DeadLetter): string {
  const { id, sentAt, receives } = letter;
  const text = textOf(letter);
  return `${new Date(sentAt).toISOString()}  ${id}  received ${receives} times  ${text.length > 200 ? `${text.slice(0, 200)}…` : text}`;
}

const toJson = (letter: DeadLetter): object => ({
  id: letter.id,
  sentAt: new Date(letter.sentAt).toISOString(),
  receives: letter.receives,
  message: textOf(letter),
});
