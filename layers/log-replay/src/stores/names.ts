import { isGone, type WriterIdentity } from "./writer-identity.ts";

const digits = (epoch: number): string => String(epoch).padStart(8, "0");

export const claimName = (epoch: number): string => `claim-${digits(epoch)}`;
export const beginName = (epoch: number): string => `begin-${digits(epoch)}.json`;

/** How the names of the segments of one epoch, or of all, begin. */
export const segmentPrefix = (epoch?: number): string =>
  epoch === undefined ? "segment-" : `segment-${digits(epoch)}-`;

/** How the names of one writer's segments begin; a count of them follows. `nonce`: one process can have many writers. */
export const writerName = (epoch: number, { where, pid, start }: WriterIdentity, nonce: string): string =>
  `${segmentPrefix(epoch)}${where}-${pid}-${start}-${nonce}`;

/** Each writer's last segment. */
export function lastOf(segments: readonly string[]): ReadonlySet<string> {
  const last = new Map<string, { readonly name: string; readonly count: number }>();
  for (const name of segments) {
    const dash = name.lastIndexOf("-");
    const writer = name.slice(0, dash);
    const count = Number.parseInt(name.slice(dash + 1));
    if (count >= (last.get(writer)?.count ?? 0)) last.set(writer, { name, count });
  }
  return new Set([...last.values()].map(({ name }) => name));
}

/** Whether the writer of a segment is certain to run no more. */
export function isWriterGone(segment: string): boolean {
  const [where, pid, start] = segment.split("-").slice(2);
  return where !== undefined && start !== undefined && isGone({ where, pid: Number(pid), start });
}
