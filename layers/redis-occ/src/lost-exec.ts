/**
 * What became of an EXEC whose reply is lost, as its server tells once the fence is touched. If it has not run by then,
 * it cannot run any more.
 * @param told null where the server process that it was sent to is gone. Whatever replaced the watched values of the hook may
 *   have removed the marker as well
 */
export function judgeLostExec(
  told: { readonly sameHookValues: boolean; readonly markerSet: boolean } | null,
): "ran" | "not run" | "unknown" {
  if (told === null || !told.sameHookValues) return "unknown";
  return told.markerSet ? "ran" : "not run";
}
