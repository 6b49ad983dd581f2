import { LogDamageError, StoreMismatchError } from "./errors.ts";
import type { Begin } from "./store.ts";

/** Names and contents that are the same in every store of named blobs: files in a folder, objects in a bucket. */
export const IDENTITY = "store.json";

export const digits = (epoch: number): string => String(epoch).padStart(8, "0");
export const claimName = (epoch: number): string => `claim-${digits(epoch)}`;
export const beginName = (epoch: number): string => `begin-${digits(epoch)}.json`;

/** The epoch in the name of a claim or of a begin; undefined where the name is another one. */
export function epochIn(kind: "claim" | "begin", name: string): number | undefined {
  const epoch = (kind === "claim" ? /^claim-(\d{8,})$/ : /^begin-(\d{8,})\.json$/).exec(name)?.[1];
  return epoch === undefined ? undefined : Number(epoch);
}

export function encodeIdentity(id: string): string {
  return `${JSON.stringify({ id, created: new Date().toISOString() })}\n`;
}

/** @throws StoreMismatchError where `text` names no identity */
export function parseIdentity(where: string, text: string): string {
  let id: unknown;
  try {
    ({ id } = JSON.parse(text) as { id?: unknown });
  } catch {
    throw new StoreMismatchError(`${where} is not JSON`);
  }
  if (typeof id !== "string") throw new StoreMismatchError(`${where} names no id`);
  return id;
}

export function encodeBegin(begin: Begin): string {
  return `${JSON.stringify(begin)}\n`;
}

/** @throws LogDamageError where `text` does not say how the epoch begins */
export function parseBegin(where: string, text: string): Begin {
  try {
    const { parent, cut } = JSON.parse(text) as Partial<Begin>;
    if (Number.isSafeInteger(parent) && Number.isSafeInteger(cut)) return { parent: parent as number, cut: cut as number };
  } catch {
    // Told below, with the blob's name.
  }
  throw new LogDamageError(where, 1, "does not say how the epoch begins");
}
