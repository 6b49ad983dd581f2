import { add, type Stage } from "./stage.ts";
import { tampered, type Tampering } from "./tampered-store.ts";

/** Two clients of one log whose only commit has set `n` to 1. `tampering` is in the way of the first one's store. */
export async function pair(on: Stage) {
  const store = await on.store();
  const tampering: Tampering = {};
  const state = on.open({ store: tampered(store, tampering) });
  const other = on.open({ store: await on.store(store.folder) });
  await state.occ.transact(["n"], add("n"));
  await other.ready();
  return { store, folder: store.folder, tampering, state, other };
}
