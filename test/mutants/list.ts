import { EVENTS } from "./list/events.ts";
import { SAGA } from "./list/saga.ts";
import { SYNCS } from "./list/syncs.ts";
import type { Mutant } from "./mutant.ts";

export const MUTANTS: readonly Mutant[] = [...SAGA, ...EVENTS, ...SYNCS];
