/** An object as a listing tells of it. */
export interface Listed {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970; NaN where the server does not say. */
  readonly modified: number;
}

/** One page of a ListObjectsV2 answer; `next` asks for the page after it, undefined after the last one. */
export interface Page {
  readonly objects: readonly Listed[];
  readonly next: string | undefined;
}

const ENTITIES: ReadonlyMap<string, string> = new Map(
  Object.entries({ amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" }),
);

/** @throws TypeError where it is no listing */
export function parseListing(xml: string): Page {
  if (!/<ListBucketResult[\s>]/.test(xml)) throw new TypeError("the answer to a listing is none");
  const objects = [...xml.matchAll(/<Contents>(.*?)<\/Contents>/gs)].map(([, content = ""]): Listed => {
    const modified = Date.parse(element(content, "LastModified") ?? "");
    return { key: required(content, "Key"), size: Number(required(content, "Size")), modified };
  });
  // The token alone does not tell: a page that is cut short and names no next one would silently be taken for the last.
  const truncated = element(xml, "IsTruncated") === "true";
  return { objects, next: truncated ? required(xml, "NextContinuationToken") : undefined };
}

function required(xml: string, name: string): string {
  const text = element(xml, name);
  if (text === undefined) throw new TypeError(`a listing without ${name}`);
  return text;
}

function element(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
  return text?.replace(
    /&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi,
    (whole, decimal?: string, hex?: string, named?: string) => {
      if (named !== undefined) return ENTITIES.get(named) ?? whole;
      return String.fromCodePoint(decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal));
    },
  );
}
