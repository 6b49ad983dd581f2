/** Seats of a hall, on redis-occ: nobody gets a seat that somebody else has, and a hold ends by itself. */
import { type Occ } from "redis-occ";

interface Seat {
  readonly holder: string;
}
type Keys = Readonly<Record<`seat:${string}`, Seat>>;

/** Milliseconds that a seat is held for somebody who has not paid. */
const HOLD = 10 * 60_000;

export class Hall {
  readonly #occ: Occ<Keys>;

  constructor(occ: Occ<Keys>) {
    this.#occ = occ;
  }

  /** All of the seats or none. @throws Error where one is taken */
  hold(holder: string, seats: readonly string[]): Promise<void> {
    const keys = seats.map((seat) => `seat:${seat}` as const);
    return this.#occ.transact(keys, (view) => {
      const taken = keys.find((key) => (view.get(key)?.holder ?? holder) !== holder);
      if (taken !== undefined) throw new Error(`${taken} is taken`);
      return { result: undefined, setWithTtl: keys.map((key) => [key, { value: { holder }, ttl: HOLD }] as const) };
    });
  }

  /** A seat that is paid for stays. @throws Error where the hold has ended */
  pay(holder: string, seat: string): Promise<void> {
    return this.#occ.transact([`seat:${seat}`], (view) => {
      if (view.get(`seat:${seat}`)?.holder !== holder) throw new Error(`seat ${seat} is not held for ${holder}`);
      return { result: undefined, setWithTtl: { [`seat:${seat}`]: { value: { holder }, ttl: null } } };
    });
  }
}
