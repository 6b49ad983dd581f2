import { useEffect, useRef, useState } from "preact/hooks";
import type { Now } from "../../server/shop-view.ts";

const API = "/console/api/";

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return read<T>(await fetch(API + path, signal ? { signal } : {}));
}

/** Does something to the shop. @throws ApiError token_required where that is not allowed without it */
export async function act(action: string, argument = ""): Promise<string> {
  const { done } = await read<{ done: string }>(
    await fetch(`/console/do/${action}`, { method: "POST", body: argument }),
  );
  return done;
}

/** Something that a reader wants to be done to the shop. */
export interface Wish {
  readonly action: string;
  readonly argument?: string;
}

/** Has it done by the application, which may have to ask for the token first. */
export function wish(detail: Wish): void {
  dispatchEvent(new CustomEvent("act", { detail }));
}

/** @returns false where it is another token */
export async function login(token: string): Promise<boolean> {
  return (await fetch("/console/login", { method: "POST", body: token })).ok;
}

async function read<T>(response: Response): Promise<T> {
  // One that is broken off rejects here: it must not look like an answer without anything in it.
  if (response.ok) return (await response.json()) as T;
  const body = (await response.json().catch(() => ({}))) as { error?: { code: string; message: string } };
  const error = new ApiError(
    response.status,
    body.error?.code ?? "error",
    body.error?.message ?? `the console answers ${response.status}`,
  );
  if (error.code === "token_required") dispatchEvent(new Event("token-required"));
  throw error;
}

export interface Asked<T> {
  readonly value: T | null;
  readonly error: ApiError | Error | null;
}

/** What an address answers; asked again where the address or `version` changes. What was there stays until then. */
export function useAsked<T>(path: string | null, version: unknown = 0): Asked<T> {
  const [asked, setAsked] = useState<Asked<T> & { path: string | null }>({ value: null, error: null, path: null });
  useEffect(() => {
    if (path === null) return;
    const end = new AbortController();
    get<T>(path, end.signal).then(
      (value) => setAsked({ value, error: null, path }),
      (error: unknown) => {
        if (!end.signal.aborted) setAsked((before) => ({ ...before, error: error as Error, path }));
      },
    );
    return () => end.abort();
  }, [path, version]);
  return path === null ? { value: null, error: null } : asked;
}

export interface LiveState {
  readonly now: Now | null;
  /** False while the console itself does not answer. */
  readonly connected: boolean;
  /** Counts up when something has happened. */
  readonly happened: number;
}

/** The stream of what happens; one for the whole application. */
export function useLive(): LiveState {
  const [live, setLive] = useState<LiveState>({ now: null, connected: false, happened: 0 });
  const source = useRef<EventSource | null>(null);
  useEffect(() => {
    const open = (): void => {
      const events = new EventSource(`${API}live`);
      source.current = events;
      events.addEventListener("now", (event) => {
        const now = JSON.parse((event as MessageEvent<string>).data) as Now;
        setLive((before) => ({ ...before, now, connected: true }));
      });
      events.addEventListener("happened", () => setLive((before) => ({ ...before, happened: before.happened + 1 })));
      events.addEventListener("error", () => {
        setLive((before) => ({ ...before, connected: false }));
        // An answer that is no stream ends it for good: it is opened again, as the browser does after a broken one.
        if (events.readyState === EventSource.CLOSED) setTimeout(open, 700);
      });
    };
    open();
    return () => source.current?.close();
  }, []);
  return live;
}

/** Counts up every `milliseconds` while the page is looked at. */
export function useTick(milliseconds: number): number {
  const [tick, setTick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) setTick((before) => before + 1);
    }, milliseconds);
    return () => clearInterval(timer);
  }, [milliseconds]);
  return tick;
}
