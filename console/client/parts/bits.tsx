import type { ComponentChildren } from "preact";
import type { SagaRow } from "../../server/saga-table.ts";
import { hrefTo } from "../lib/address.ts";

export function Service({ name }: { readonly name: string }) {
  return (
    <span class={`service ${name}`}>
      <i aria-hidden="true" />
      {name}
    </span>
  );
}

/** What became of a checkout, in one word. */
export function standing(saga: Pick<SagaRow, "state" | "deadline" | "failure">, now: number): string {
  if (saga.state === "failed") return saga.failure === "checkout_aborted" ? "aborted" : "refused";
  if (saga.state === "paid") return "paid";
  return saga.deadline < now ? "stuck" : saga.state;
}

export function State({ word }: { readonly word: string }) {
  return <span class={`state ${word}`}>{word}</span>;
}

export function SagaLink({ id, children }: { readonly id: string; readonly children?: ComponentChildren }) {
  return (
    <a class="mono" href={hrefTo(`sagas/${id}`)}>
      {children ?? id}
    </a>
  );
}

export function KeyLink({
  service,
  name,
  at,
}: {
  readonly service: string;
  readonly name: string;
  readonly at?: number;
}) {
  return (
    <a class="mono keyname" href={hrefTo("state", { service, key: name, at })}>
      {name}
    </a>
  );
}

export function CommitLink({ service, n, children }: { service: string; n: number; children?: ComponentChildren }) {
  return (
    <a class="mono" href={hrefTo(`log/${service}/${n}`)}>
      {children ?? `${service} ${n.toLocaleString("en")}`}
    </a>
  );
}

export function Kbd({ children }: { readonly children: ComponentChildren }) {
  return <kbd aria-hidden="true">{children}</kbd>;
}

export function Panel(props: {
  title: ComponentChildren;
  aside?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}) {
  return (
    <section class={`panel ${props.class ?? ""}`}>
      <header>
        <h2>{props.title}</h2>
        {props.aside !== undefined && <div class="aside">{props.aside}</div>}
      </header>
      {props.children}
    </section>
  );
}

export function Trouble({ error }: { readonly error: Error | null }) {
  return error === null ? null : (
    <p class="trouble" role="alert">
      {error.message}
    </p>
  );
}

/** One of a few. */
export function Choice(props: {
  readonly label: string;
  readonly options: readonly (readonly [value: string, text: string])[];
  readonly value: string;
  readonly onChange: (value: string) => void;
}) {
  return (
    <div class="choice" role="group" aria-label={props.label}>
      {props.options.map(([value, text]) => (
        <button key={value} type="button" aria-pressed={value === props.value} onClick={() => props.onChange(value)}>
          {text}
        </button>
      ))}
    </div>
  );
}
