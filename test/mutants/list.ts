import { COMMITS } from "./list/commits.ts";
import { ERRORS } from "./list/errors.ts";
import { FILE, S3 } from "./list/files.ts";
import { OPTIMISTIC } from "./list/optimistic.ts";
import { POSITION } from "./list/positions.ts";
import { RESTORES, SERVERS } from "./list/restores.ts";
import { SAGA } from "./list/saga.ts";
import { SYNCS } from "./list/syncs.ts";
import type { Mutant } from "./mutant.ts";

export const MUTANTS: readonly Mutant[] = [
  ...COMMITS,
  ...ERRORS,
  ...FILE,
  ...OPTIMISTIC,
  ...POSITION,
  ...RESTORES,
  ...S3,
  ...SAGA,
  ...SERVERS,
  ...SYNCS,
];
