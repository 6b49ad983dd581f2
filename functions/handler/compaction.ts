import { task } from "./task.ts";
import { compactThresholds } from "../settings/configuration.ts";
import type { Service } from "../state/open-state.ts";

/** Milliseconds that one run works at most, where the function's own timeout allows it. */
export const COMPACTION_PATIENCE = 14 * 60 * 1_000;

/**
 * A scheduled function that compacts the service's log when that is due. What one run leaves over, the next one does.
 */
export function compaction(service: Service) {
  return task(
    service,
    "compact",
    async ({ state, deadline }) => {
      const result = await state.compactWhenDue(compactThresholds(), { deadline });
      return { commits: result?.commits ?? 0, archived: result?.archived ?? 0 };
    },
    COMPACTION_PATIENCE,
  );
}
