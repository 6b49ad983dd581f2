/** Who may look, and who may do more than look. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { dirname } from "node:path";

export const COOKIE = "shop_console";

const LOOPBACK_ADDRESS = /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/;
const LOOPBACK_NAME = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;

export interface Asked {
  readonly headers: IncomingHttpHeaders;
  /** The address of whoever asks. */
  readonly address: string;
}

/**
 * True where it comes from this machine, and was meant for it: a page of some other site that is made to resolve to this
 * machine has its own name in `Host`, and so has a proxy that brings others here.
 */
export function isLocal({ headers, address }: Asked): boolean {
  return (
    LOOPBACK_ADDRESS.test(address) &&
    LOOPBACK_NAME.test(headers.host ?? "") &&
    headers["x-forwarded-for"] === undefined &&
    headers.forwarded === undefined
  );
}

/** True where another site's page has sent it: its browser says so. */
export function isForeign({ headers }: Asked): boolean {
  const site = headers["sec-fetch-site"];
  if (site !== undefined) return site !== "same-origin" && site !== "none";
  return headers.origin !== undefined && headers.origin.replace(/^https?:\/\//, "") !== headers.host;
}

export class Token {
  readonly #digest: Buffer;

  constructor(token: string) {
    this.#digest = digest(token);
  }

  /** What the browser keeps: not the token itself. */
  get cookie(): string {
    return this.#digest.toString("base64url");
  }

  fits(token: string): boolean {
    return timingSafeEqual(digest(token), this.#digest);
  }

  /** Takes the header of a program, or the cookie of a browser that was given the token. */
  isIn({ headers }: Asked): boolean {
    const [, bearer] = /^Bearer (.+)$/i.exec(headers.authorization ?? "") ?? [];
    if (bearer !== undefined) return this.fits(bearer);
    const cookie = (headers.cookie ?? "").split(/; */).find((part) => part.startsWith(`${COOKIE}=`));
    return cookie !== undefined && timingSafeEqual(digest(cookie.slice(COOKIE.length + 1)), digest(this.cookie));
  }
}

function digest(text: string): Buffer {
  return createHash("sha256").update(`console ${text}`).digest();
}

/** The token of a data folder, which is made once. @param file null where there is no such folder: then it lives as long as this process */
export function readToken(configured: string | undefined, file: string | null): string {
  if (configured) return configured;
  const made = randomBytes(24).toString("base64url");
  if (file === null) return made;
  try {
    // Only in a data folder that is there: one that was moved away, and is made here, would be in the way of its coming back.
    if (!existsSync(dirname(file))) mkdirSync(dirname(file), { mode: 0o700 });
    writeFileSync(file, `${made}\n`, { flag: "wx", mode: 0o600 });
    return made;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return readFileSync(file, "utf8").trim();
    throw error;
  }
}
