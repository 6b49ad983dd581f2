import { command, confirmed, count, paint, print, printJson } from "log-replay/cli";
import { SERVICES } from "../../functions/settings/services.ts";
import { serviceOf } from "../open-logs.ts";
import { MOST_SHOWN, Queue, textOf, type DeadLetter } from "../queues.ts";

export const queues = command({
  name: "queues",
  arguments: "",
  what: "of checkouts by events: what waits, what is worked on, and the messages that could not be handled",
  examples: ["queues", "queues --json"],
  onlyShows: true,
  options: { json: { what: "one JSON object a service, for programs" } },
  run: async (_, { json = false }) => show(json),
});

/** What waits, what is worked on, how old the oldest is, and what could not be handled. */
async function show(json: boolean): Promise<void> {
  for (const service of SERVICES) {
    const queue = new Queue(service);
    try {
      const [depth, oldest] = await Promise.all([
        queue.depth(),
        queue
          .oldest()
          .catch((error: unknown) => void process.stderr.write(`${service}: ${(error as Error).message}\n`)),
      ]);
      const letters = await firstOf(queue, depth.dead);
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
      for (const line of described(letters, depth.dead)) await print(`         ${line}`);
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
    const { dead } = await queue.depth();
    for (const line of described(await firstOf(queue, dead), dead)) await print(line);
    if (dead > 0 && !(await confirmed(`Send ${count(dead, "message")} to ${service} again?`, yes))) return;
    await print(`${service}: ${count(await queue.redrive(dead), "message")} sent again`);
  } finally {
    queue.close();
  }
}

/** As many of a queue's dead letters as are shown. Whatever is done next finds them in sight. */
async function firstOf(queue: Queue, dead: number): Promise<readonly DeadLetter[]> {
  const letters = await queue.deadLetters(Math.min(dead, MOST_SHOWN));
  await queue.putBack(letters);
  return letters;
}

/** A line for each letter, and one for those that are not shown. */
function described(letters: readonly DeadLetter[], dead: number): readonly string[] {
  const lines = letters.map((letter) => {
    const { id, sentAt, receives } = letter;
    const text = textOf(letter);
    return `${new Date(sentAt).toISOString()}  ${id}  received ${receives} times  ${text.length > 200 ? `${text.slice(0, 200)}…` : text}`;
  });
  return letters.length < dead ? [...lines, `and ${(dead - letters.length).toLocaleString("en")} more`] : lines;
}

const toJson = (letter: DeadLetter): object => ({
  id: letter.id,
  sentAt: new Date(letter.sentAt).toISOString(),
  receives: letter.receives,
  message: textOf(letter),
});
