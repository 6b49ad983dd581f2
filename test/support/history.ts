/** What was asked of the shop and what it answered, in the order in which this process saw it. */
import { UnreachedError, NoAnswerError, type Answer, type Client, type Request } from "./http.ts";

export type Operation =
  | { readonly name: "checkout"; readonly order: string }
  | { readonly name: "add" | "subtract"; readonly item: string; readonly amount: number }
  | { readonly name: "add_funds" | "pay"; readonly user: string; readonly amount: number }
  | { readonly name: "find_item"; readonly item: string }
  | { readonly name: "find_user"; readonly user: string };

/** One request. */
export interface Attempt {
  readonly operation: Operation;
  /** The Idempotency-Key: attempts that share it are one operation. */
  readonly key: string | null;
  /**
   * Places in one sequence of all beginnings and ends. They tell of two attempts whether one was over before the other
   * began, or whether they overlapped.
   */
  readonly began: number;
  readonly ended: number;
  /** Null: none came. */
  readonly answer: Answer | null;
  /** False where not even a connection was made. */
  readonly sent: boolean;
}

export class History {
  readonly attempts: Attempt[] = [];
  #clock = 0;

  /** Sends the operation once and writes down what came of it. */
  async attempt(client: Client, operation: Operation, key: string | null = null): Promise<Attempt> {
    const began = this.#clock++;
    let answer: Answer | null = null;
    let sent = true;
    try {
      answer = await client.send(requestOf(operation, key));
    } catch (error) {
      if (error instanceof UnreachedError) sent = false;
      else if (!(error instanceof NoAnswerError)) throw error;
    }
    const attempt: Attempt = { operation, key, began, ended: this.#clock++, answer, sent };
    this.attempts.push(attempt);
    return attempt;
  }
}

function requestOf(operation: Operation, key: string | null): Request {
  const [method, path] = routeOf(operation);
  return { method, path, headers: key === null ? {} : { "idempotency-key": key } };
}

function routeOf(operation: Operation): ["GET" | "POST", string] {
  switch (operation.name) {
    case "checkout":
      return ["POST", `/orders/checkout/${operation.order}`];
    case "add":
    case "subtract":
      return ["POST", `/stock/${operation.name}/${operation.item}/${operation.amount}`];
    case "add_funds":
    case "pay":
      return ["POST", `/payment/${operation.name}/${operation.user}/${operation.amount}`];
    case "find_item":
      return ["GET", `/stock/find/${operation.item}`];
    case "find_user":
      return ["GET", `/payment/find_user/${operation.user}`];
  }
}
