/** The body of a message: the signature of the service that sent it, as the routes between the services have it, and a line below that the JSON. */
import { offeredDispatch } from "../calls/dispatch.ts";
import { authenticate, sign, type Signed } from "../calls/signature.ts";
import { signingSecret } from "../settings/secret.ts";
import type { Outgoing } from "./messages.ts";

/** A message for one service is none for another. */
const signed = (to: string, body: string): Signed => ({ method: "SEND", path: `/${to}`, body });

export async function signMessage({ to, message }: Outgoing): Promise<string> {
  const text = JSON.stringify(message);
  const now = Date.now();
  // Where the functions share a process it is most likely this one that gets it.
  const options = { verifiedHere: offeredDispatch() !== null };
  return `${sign(signed(to, text), await signingSecret(now), now, options)}\n${text}`;
}

/** @returns the JSON @throws ForbiddenError where no service of the shop has signed it for this one */
export async function verifyMessage(to: string, body: string): Promise<string> {
  const end = body.indexOf("\n");
  const text = body.slice(end + 1);
  authenticate(signed(to, text), body.slice(0, Math.max(0, end)), await signingSecret(Date.now()));
  return text;
}
