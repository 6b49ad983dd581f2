/** A transfer between two accounts. The same function on both: redis-occ alone, or with a log that brings the state back. */
import { createFileStore, LoggedRedis, openFileStore } from "log-replay";
import type { Occ } from "redis-occ";

/** @throws Error where the account does not suffice: nothing was moved */
export function transfer(occ: Occ, from: string, to: string, amount: number): Promise<number> {
  const [payer, payee] = [`account:${from}`, `account:${to}`];
  return occ.transact(
    [payer, payee],
    (view) => {
      const left = (view.get<number>(payer) ?? 0) - amount;
      if (left < 0) throw new Error(`${from} has too little`);
      if (payer === payee) return { result: left + amount };
      return { result: left, set: { [payer]: left, [payee]: (view.get<number>(payee) ?? 0) + amount } };
    },
    { meta: { op: "transfer", from, to, amount } },
  );
}

/** A bank whose accounts survive the loss of Redis: every transfer is in the log before it is answered. */
export async function openBank(url: string, folder: string): Promise<LoggedRedis> {
  await createFileStore(folder);
  return new LoggedRedis({ url, store: await openFileStore({ folder }) });
}
