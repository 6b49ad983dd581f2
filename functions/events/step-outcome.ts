import { Refusal, type Reason } from "../errors.ts";

/**
 * Runs a step.
 * @returns what others have to be told of it: that it is done, or why it is refused; "too late" where nobody has to be told
 *   anything, since order has given the saga up, or ended it so long ago that no marker is left
 */
export async function outcomeOf(step: () => Promise<Refusal | undefined>): Promise<"done" | "too late" | Reason> {
  try {
    const refusal = await step();
    if (refusal === undefined) return "done";
    const { code, message } = refusal;
    return code === "step_compensated" ? "too late" : { code, message };
  } catch (error) {
    if (error instanceof Refusal && error.code === "saga_expired") return "too late";
    throw error;
  }
}
