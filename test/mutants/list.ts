import { ERRORS } from "./list/errors.ts";
import { OPTIMISTIC } from "./list/optimistic.ts";
import { SAGA } from "./list/saga.ts";
import { SYNCS } from "./list/syncs.ts";
import type { Mutant } from "./mutant.ts";

export const MUTANTS: readonly Mutant[] = [...ERRORS, ...OPTIMISTIC, ...SAGA, ...SYNCS];
