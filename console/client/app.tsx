import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { act, login, useAsked, useLive, type LiveState, type Wish } from "./lib/api.ts";
import { bytes, rate } from "./lib/format.ts";
import { adjust, followLinks, go, hrefTo, useAddress } from "./lib/address.ts";
import { AuditPage } from "./pages/audit.tsx";
import { BreakPage } from "./pages/break.tsx";
import { LogPage } from "./pages/log.tsx";
import { NowPage, type About } from "./pages/now.tsx";
import { SagasPage } from "./pages/sagas.tsx";
import { StatePage } from "./pages/state.tsx";
import "uplot/dist/uPlot.min.css";
import "./style/app.css";

const PAGES = [
  ["now", "Now", "1"],
  ["sagas", "Checkouts", "2"],
  ["log", "Log", "3"],
  ["state", "State", "4"],
  ["audit", "Audit", "5"],
  ["break", "Break it", "6"],
] as const;

const KEYS = [
  ["1 – 6", "a page"],
  ["/", "search"],
  ["j k", "down and up in a list"],
  ["Enter", "open"],
  ["Esc", "close"],
  ["f", "follow the log"],
  ["t", "light or dark"],
  ["?", "this"],
] as const;

function App() {
  const address = useAddress();
  const live = useLive();
  const [version, setVersion] = useState(0);
  const { value: about } = useAsked<About>("about", version);
  const [dialog, setDialog] = useState<"keys" | "token" | null>(null);
  const [told, setTold] = useState<string | null>(null);
  const wanted = useRef<Wish | null>(null);

  const doIt = (wish: Wish): void => {
    wanted.current = wish;
    act(wish.action, wish.argument).then(
      (said) => {
        wanted.current = null;
        setTold(`${wish.action}: ${said}`);
      },
      (error: unknown) =>
        setTold((error as { code?: string }).code === "token_required" ? null : (error as Error).message),
    );
  };
  useEffect(() => {
    const ask = (): void => setDialog("token");
    const wish = (event: Event): void => doIt((event as CustomEvent<Wish>).detail);
    addEventListener("token-required", ask);
    addEventListener("act", wish);
    return () => {
      removeEventListener("token-required", ask);
      removeEventListener("act", wish);
    };
  }, []);
  useEffect(() => {
    if (told === null) return;
    const timer = setTimeout(() => setTold(null), 8_000);
    return () => clearTimeout(timer);
  }, [told]);
  useKeys(() => setDialog((shown) => (shown === "keys" ? null : "keys")));

  const pages = PAGES.filter(([page]) => page !== "break" || about?.actions.some(({ open }) => open) === true);
  const title = pages.find(([page]) => page === address.page)?.[1] ?? "Console";
  useEffect(() => {
    document.title = `${address.parts.at(-1) ?? title} · console`;
  }, [title, address]);
  return (
    <>
      <a class="skip" href="#main">
        Skip to the page
      </a>
      <nav class="rail-nav" aria-label="Pages">
        <div class="brand">
          <span class="mark" aria-hidden="true" />
          <b>console</b>
        </div>
        <ul>
          {pages.map(([page, name, key]) => (
            <li key={page}>
              <a href={hrefTo(page === "now" ? "" : page)} aria-current={address.page === page ? "page" : undefined}>
                <span>{name}</span>
                <kbd aria-hidden="true">{key}</kbd>
              </a>
            </li>
          ))}
        </ul>
        <Foot live={live} source={about?.source ?? ""} onKeys={() => setDialog("keys")} />
      </nav>
      <main id="main" tabIndex={-1}>
        {!live.connected && live.now !== null && (
          <p class="banner" role="status">
            The console does not answer. It is asked again and again.
          </p>
        )}
        {about !== null && address.page === "now" && <NowPage live={live} about={about} />}
        {address.page === "sagas" && <SagasPage address={address} />}
        {about !== null && address.page === "log" && (
          <LogPage address={address} now={live.now} services={about.services} />
        )}
        {about !== null && address.page === "state" && <StatePage address={address} services={about.services} />}
        {address.page === "audit" && <AuditPage />}
        {about !== null && address.page === "break" && <BreakPage live={live} about={about} />}
        {!PAGES.some(([page]) => page === address.page) && <p class="calm">There is no such page.</p>}
      </main>
      <div class="told" role="status" aria-live="polite">
        {told !== null && <p>{told}</p>}
      </div>
      {dialog === "keys" && <KeysDialog onClose={() => setDialog(null)} />}
      {dialog === "token" && (
        <TokenDialog
          onClose={() => setDialog(null)}
          onDone={() => {
            setDialog(null);
            setVersion((before) => before + 1);
            if (wanted.current !== null) doIt(wanted.current);
          }}
        />
      )}
    </>
  );
}

function Foot({ live, source, onKeys }: { live: LiveState; source: string; onKeys: () => void }) {
  const { now, connected } = live;
  const settled = now === null ? 0 : now.window.paid + now.window.refused + now.window.aborted;
  const word = !connected ? "away" : now?.live === true ? (now.shop.up || settled > 0 ? "live" : "quiet") : "history";
  return (
    <div class="foot">
      <p class={`pulse ${word}`}>
        <i aria-hidden="true" />
        {word === "live" && now !== null ? `live, ${rate(settled / now.window.seconds)}/s` : word}
      </p>
      <p class="source mono" title={source}>
        {source}
      </p>
      {now !== null && <p class="soft">index {bytes(now.memory)}</p>}
      <div class="tools">
        <button type="button" class="quiet" onClick={switchTheme} aria-label="Light or dark">
          ◐
        </button>
        <button type="button" class="quiet" onClick={onKeys} aria-label="Keys">
          ?
        </button>
      </div>
    </div>
  );
}

function useKeys(onHelp: () => void): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (event.metaKey || event.ctrlKey || event.altKey) return;
      const typing =
        event.target instanceof Element && event.target.matches("input:not([type=range]), select, textarea");
      if (event.key === "Escape") return close(event);
      if (typing) return;
      const page = PAGES.find(([, , key]) => key === event.key)?.[0];
      if (page !== undefined) go(hrefTo(page === "now" ? "" : page));
      else if (event.key === "/") document.querySelector<HTMLInputElement>("input.search")?.focus();
      else if (event.key === "t") switchTheme();
      else if (event.key === "?") onHelp();
      else if (event.key === "f") document.querySelector<HTMLButtonElement>("button.follow")?.click();
      else if (event.key === "j" || event.key === "k") {
        const list = document.querySelector<HTMLElement>(".list");
        if (list === null || list === document.activeElement) return;
        list.focus();
      } else return;
      event.preventDefault();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}

/** What is open on top: a dialog, a field, the detail. */
function close(event: KeyboardEvent): void {
  const dialog = document.querySelector<HTMLElement>("dialog[open] .close");
  if (dialog !== null) dialog.click();
  else if (event.target instanceof HTMLInputElement && event.target.type === "search") event.target.blur();
  else document.querySelector<HTMLElement>(".detail-head button, .detail-head .close")?.click();
  event.preventDefault();
}

function KeysDialog({ onClose }: { readonly onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keylist">
        {KEYS.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}

function TokenDialog({ onClose, onDone }: { readonly onClose: () => void; readonly onDone: () => void }) {
  const [token, setToken] = useState("");
  const [wrong, setWrong] = useState(false);
  return (
    <Dialog title="The console's token is needed" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void login(token.trim()).then((right) => (right ? onDone() : setWrong(true)));
        }}
      >
        <p>
          It stands in <code>secrets/console-token</code> of the shop's data folder, or is what CONSOLE_TOKEN says.
        </p>
        <input
          type="password"
          aria-label="Token"
          autocomplete="off"
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
        {wrong && (
          <p class="trouble" role="alert">
            This is not the token.
          </p>
        )}
        <button type="submit">Go on</button>
      </form>
    </Dialog>
  );
}

function Dialog(props: { title: string; onClose: () => void; children: preact.ComponentChildren }) {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => box.current?.showModal(), []);
  return (
    <dialog ref={box} aria-label={props.title} onCancel={props.onClose}>
      <header class="detail-head">
        <h2>{props.title}</h2>
        <button type="button" class="quiet close" onClick={props.onClose} aria-label="Esc: close">
          Esc
        </button>
      </header>
      {props.children}
    </dialog>
  );
}

/** The theme is that of the system until somebody switches it. */
function switchTheme(): void {
  const root = document.documentElement;
  const dark = root.dataset["theme"] ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  root.dataset["theme"] = dark === "dark" ? "light" : "dark";
  localStorage.setItem("console-theme", root.dataset["theme"]);
  adjust({});
}

const kept = localStorage.getItem("console-theme");
if (kept !== null) document.documentElement.dataset["theme"] = kept;
followLinks();
const root = document.getElementById("app");
if (root !== null) render(<App />, root);
