import { AddressError } from "./errors.ts";

const INDEX = /^\d{1,9}$/;
const SERVER = /^rediss?:\/\//i;

/**
 * The index of the database that an address names, in its path or as `?db=`; 0 where it names none.
 *
 * ioredis takes what it can of a text (`1abc` is 1, `abc` is NaN), and goes on in database 0 where SELECT fails: somebody
 * else's data would be read, and written to.
 * @throws AddressError
 */
export function databaseOf(url: string): number {
  const query = url.includes("?") ? new URLSearchParams(url.slice(url.indexOf("?") + 1)).get("db") : null;
  const named = (SERVER.test(url) ? readable(() => new URL(url)).pathname.slice(1) : "") || query || "0";
  if (!INDEX.test(named))
    throw new AddressError(`the address of Redis names database "${named}", which is no number: end it with /0, /1, …`);
  return Number(named);
}

/** As `databaseOf`, where options of ioredis name it. @throws AddressError */
export function databaseIn(db: unknown = 0): number {
  const named = String(db);
  if (!INDEX.test(named))
    throw new AddressError(`db of the options for Redis is "${named}": it must be a number from 0`);
  return Number(named);
}

/** Without the address in the message: it holds a password. @throws AddressError */
export function readable<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AddressError(
      `the address of Redis cannot be read (${why}): it is redis://[[user]:password@]host[:port][/database], with %25 for a % of the password`,
    );
  }
}
