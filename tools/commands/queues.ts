import { SERVICES } from "../../functions/settings/services.ts";
import { confirmed, count, paint, print, printJson } from "../output.ts";
import { serviceOf } from "../open-logs.ts";
import { Queue, textOf, type DeadLetter } from "../queues.ts";

export interface QueuesOptions {
  readonly json?: boolean;
}

/** What waits, what is worked on, how old the oldest is, and what could not be handled. */
export async function queues(options: QueuesOptions): Promise<void> {
  for (const service of SERVICES) {
    const queue = new Queue(service);
    try {
      const { figures } = queue;
      const [depth, oldest, letters] = await Promise.all([figures.depth(), figures.oldest(), queue.deadLetters()]);
      await queue.putBack(letters);
      if (options.json) {
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

export interface RedriveOptions {
  readonly yes?: boolean;
}

/** Has the dead letters of a service handled once more. */
export async function redrive(service: string, { yes = false }: RedriveOptions): Promise<void> {
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
