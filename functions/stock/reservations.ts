import { Refusal, type Reason } from "../errors.ts";
import { giveBack, hold, itemKey, known, letGo, type Item } from "./items.ts";

/** What a saga asks for: quantities of items, in the order's own order. */
export type Lines = readonly (readonly [item: string, quantity: number])[];

/** A step's marker. It is written with the step's effect, so that the step happens at most once. */
export type Reservation =
  | { readonly state: "reserved"; readonly lines: readonly ReservedLine[] }
  | (Reason & { readonly state: "refused" })
  /**
   * Also where there was nothing to release yet: the execute that comes too late is refused. With the refusal of the later
   * step for which it was released, where it was told: a repetition gives that answer.
   */
  | { readonly state: "released"; readonly refusal?: Reason };

interface ReservedLine {
  readonly item: string;
  readonly quantity: number;
  readonly generation: string;
}

/** Rows that change, by key; null deletes. */
export type ReservationChanges = readonly (readonly [key: string, row: Item | Reservation | null])[];

/** Gives the stored item, null where there is none. */
export type FindItem = (id: string) => Item | null;

export const reservationKey = (saga: string): string => `reservation:${saga}`;

/**
 * Reserves all lines or none. A refusal is marked too, so repeating the step gives the first answer whatever the stock
 * has become.
 * @returns what changes, and the refusal if it is one
 */
export function reserve(
  saga: string,
  lines: Lines,
  marker: Reservation | null,
  find: FindItem,
): { set: ReservationChanges; refusal?: Refusal } {
  if (marker?.state === "reserved") return { set: [] };
  if (marker?.state === "refused") return { set: [], refusal: new Refusal(marker.code, marker.message) };
  if (marker?.state === "released") {
    const { code, message } = marker.refusal ?? {
      code: "step_compensated",
      message: `the reservation of saga ${saga} was released`,
    };
    return { set: [], refusal: new Refusal(code, message) };
  }
  try {
    const items = new Map<string, Item>();
    const reserved = lines.map(([id, quantity]): ReservedLine => {
      const item = items.get(id) ?? known(find(id), id);
      items.set(id, hold(item, quantity, id));
      return { item: id, quantity, generation: item.generation };
    });
    return { set: [[reservationKey(saga), { state: "reserved", lines: reserved }], ...rows(items)] };
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    const { code, message } = refusal;
    return { set: [[reservationKey(saga), { state: "refused", code, message }]], refusal };
  }
}

/**
 * Puts back what was reserved, to the items that are still the same, and refuses the step for ever.
 * @param refusal why a later step has refused the checkout, where it is that
 */
export function release(
  saga: string,
  marker: Reservation | null,
  find: FindItem,
  refusal?: Reason,
): ReservationChanges {
  if (marker?.state === "released" || marker?.state === "refused") return [];
  return [
    ...changeHeld(marker, find, giveBack),
    [reservationKey(saga), { state: "released", ...(refusal ? { refusal } : {}) }],
  ];
}

/** Drops the marker of a saga that is settled for good. What the marker still held is sold. */
export function forget(saga: string, marker: Reservation | null, find: FindItem): ReservationChanges {
  if (marker === null) return [];
  return [...changeHeld(marker, find, letGo), [reservationKey(saga), null]];
}

/** The items that change when the marker is released or forgotten. */
export function heldItems(marker: Reservation | null): string[] {
  return marker?.state === "reserved" ? marker.lines.map(({ item }) => item) : [];
}

function changeHeld(
  marker: Reservation | null,
  find: FindItem,
  change: (item: Item, quantity: number) => Item,
): ReservationChanges {
  const items = new Map<string, Item>();
  for (const { item: id, quantity, generation } of marker?.state === "reserved" ? marker.lines : []) {
    const item = items.get(id) ?? find(id);
    if (item?.generation === generation) items.set(id, change(item, quantity));
  }
  return rows(items);
}

function rows(items: ReadonlyMap<string, Item>): ReservationChanges {
  return Array.from(items, ([id, item]) => [itemKey(id), item] as const);
}
