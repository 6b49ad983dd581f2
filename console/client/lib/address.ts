/** Where the reader is: everything that is chosen stands in the address, so that it can be sent to somebody. */
import { useEffect, useState } from "preact/hooks";

export interface Address {
  /** `sagas`, `log` and so on. */
  readonly page: string;
  /** What follows it: an id. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
}

const PREFIX = "/console/";

export function here(): Address {
  const [page = "", ...parts] = location.pathname.slice(PREFIX.length).split("/").map(decodeURIComponent);
  return {
    page: page === "" ? "now" : page,
    parts: parts.filter((part) => part !== ""),
    query: new URLSearchParams(location.search),
  };
}

type Query = Readonly<Record<string, string | number | null | undefined>>;

/** The address of a page. Members that are empty are left out. */
export function hrefTo(path: string, query: Query = {}): string {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== null && value !== undefined && value !== "") said.set(name, String(value));
  const text = said.toString();
  return `${PREFIX}${path}${text === "" ? "" : `?${text}`}`;
}

/** @param replace true where the way back shall not lead through it: while somebody types or drags */
export function go(href: string, replace = false): void {
  if (replace) history.replaceState(null, "", href);
  else history.pushState(null, "", href);
  dispatchEvent(new Event("moved"));
}

/** Changes some of what the address says and keeps the rest. */
export function adjust(query: Query, { replace = true, path }: { replace?: boolean; path?: string } = {}): void {
  const said = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") said.delete(name);
    else said.set(name, String(value));
  }
  const text = said.toString();
  go(`${path === undefined ? location.pathname : PREFIX + path}${text === "" ? "" : `?${text}`}`, replace);
}

export function useAddress(): Address {
  const [address, setAddress] = useState(here);
  useEffect(() => {
    const moved = (): void => setAddress(here());
    addEventListener("popstate", moved);
    addEventListener("moved", moved);
    return () => {
      removeEventListener("popstate", moved);
      removeEventListener("moved", moved);
    };
  }, []);
  return address;
}

/** Links within the application need no loading. */
export function followLinks(): void {
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (link === null || link.target !== "" || !link.pathname.startsWith(PREFIX) || link.origin !== location.origin)
      return;
    event.preventDefault();
    go(link.href);
  });
}
