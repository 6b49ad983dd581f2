/** Where a request goes, as its first line says it. */
export interface RequestTarget {
  /** As it came, without the query. */
  readonly path: string;
  /** Without the question mark; empty where there is none. */
  readonly query: string;
}

/** @returns null where it is no target of an HTTP request */
export function requestTarget(url: string): RequestTarget | null {
  // Proxies and a few clients send the whole address; only the path counts.
  const local = url.startsWith("/") ? url : url.replace(/^https?:\/\/[^/?]*/i, "");
  if (local === url && !url.startsWith("/")) return null;
  if (local.includes("#")) return null;
  const mark = local.indexOf("?");
  const path = mark < 0 ? local : local.slice(0, mark);
  return { path: path === "" ? "/" : path, query: mark < 0 ? "" : local.slice(mark + 1) };
}

/**
 * The path by which its route is found. A slash at the end is no other path, as on API Gateway. One whose percent signs begin no
 * escapes, or whose escapes are no UTF-8, is taken as it stands: so the function that it leads to says what is wrong with it.
 */
export function routePath(path: string): string {
  const trimmed = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
  return trimmed.includes("%") && !isDecodable(trimmed) ? trimmed.replaceAll("%", "%25") : trimmed;
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
