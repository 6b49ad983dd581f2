/** The state at any moment: a slider through all commits, one key and its history, and two moments side by side. */
import { useEffect, useState } from "preact/hooks";
import type { KeyHistory, KeyRow } from "../../server/views.ts";
import { Choice, CommitLink, KeyLink, Panel, Service, Trouble } from "../parts/bits.tsx";
import { Change, Value } from "../parts/json.tsx";
import { Search } from "../parts/search.tsx";
import { useAsked, useTick } from "../lib/api.ts";
import { count, moment } from "../lib/format.ts";
import { adjust, hrefTo, type Address } from "../lib/address.ts";

interface Moments {
  readonly first: number;
  readonly last: number;
  readonly epochs: readonly { readonly epoch: number; readonly from: number; readonly at: number }[];
}

interface StateAt {
  readonly n: number;
  readonly at: number;
  readonly epoch: number;
  readonly kinds: readonly string[];
  readonly rows: readonly KeyRow[];
  readonly complete: boolean;
}

interface Compared {
  readonly a: { readonly n: number; readonly at: number };
  readonly b: { readonly n: number; readonly at: number };
  readonly complete: boolean;
  readonly changes: readonly {
    readonly key: string;
    readonly before: unknown;
    readonly after: unknown;
    readonly n: number;
  }[];
}

export function StatePage({ address, services }: { readonly address: Address; readonly services: readonly string[] }) {
  const { query } = address;
  const service = query.get("service") ?? services[0] ?? "order";
  const prefix = query.get("prefix") ?? "";
  const key = query.get("key");
  const said = query.get("at");
  const other = query.get("with");
  const { value: moments } = useAsked<Moments>(`moments/${service}`, useTick(said === null ? 2_000 : 10_000));
  const last = moments?.last ?? 0;
  const at = said === null ? last : Math.min(Number(said), last || Number(said));
  const shown = useDebounced(at);
  const { value: state, error } = useAsked<StateAt>(
    last === 0 ? null : `state/${service}?at=${shown}&prefix=${encodeURIComponent(prefix)}&count=150`,
  );
  const move = (to: number): void => {
    const n = Math.max(moments?.first ?? 1, Math.min(last, to));
    adjust({ service, at: n === last ? null : n });
  };
  return (
    <div class="statepage">
      <h1 class="sr">State</h1>
      <div class="filters">
        <Choice
          label="Service"
          options={services.map((name) => [name, name] as const)}
          value={service}
          onChange={(name) => adjust({ service: name, at: null, with: null, key: null, prefix: null })}
        />
        <Search
          label="Keys that begin with"
          placeholder={`keys: ${(state?.kinds ?? []).join(" ")}`}
          list={state?.kinds ?? []}
          width="19em"
          value={prefix}
          onChange={(text) => adjust({ prefix: text })}
        />
        <button
          type="button"
          aria-pressed={other !== null}
          onClick={() => adjust({ with: other === null ? Math.max(1, at - 100) : null })}
        >
          compare two moments
        </button>
        <output class="total">{state === null ? "" : `${state.epoch}:${count(state.n)} · ${moment(state.at)}`}</output>
      </div>
      {moments !== null && last > 0 && (
        <Slider label="Moment" moments={moments} value={at} onMove={move} isNow={said === null} />
      )}
      {moments !== null && other !== null && (
        <Slider
          label="Other moment"
          moments={moments}
          value={Math.min(Number(other), last)}
          onMove={(n) => adjust({ with: n })}
          isNow={false}
        />
      )}
      <Trouble error={error} />
      {other !== null ? (
        <Comparison service={service} a={Number(other)} b={shown} prefix={prefix} />
      ) : (
        <div class="keys-and-key">
          <Keys service={service} state={state} chosen={key} />
          {key === null ? (
            <p class="calm choose">Choose a key to see its history.</p>
          ) : (
            <Key service={service} name={key} at={shown} />
          )}
        </div>
      )}
    </div>
  );
}

/** The value once it has not changed for 40 ms: while somebody drags, only where they rest is asked for. */
function useDebounced(value: number): number {
  const [rested, setRested] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setRested(value), 40);
    return () => clearTimeout(timer);
  }, [value]);
  return rested;
}

function Slider(props: {
  label: string;
  moments: Moments;
  value: number;
  onMove: (n: number) => void;
  isNow: boolean;
}) {
  const { label, moments, value, onMove, isNow } = props;
  const { first, last, epochs } = moments;
  const span = Math.max(1, last - first);
  return (
    <div class="slider">
      <button type="button" onClick={() => onMove(value - 1)} aria-label={`${label}: the commit before`}>
        ‹
      </button>
      <div class="rail">
        <input
          type="range"
          aria-label={`${label}, by commits`}
          aria-valuetext={`commit ${value} of ${last}`}
          min={first}
          max={last}
          value={value}
          onInput={(event) => onMove(Number(event.currentTarget.value))}
        />
        {epochs.slice(1).map(({ epoch, from, at }) => (
          <i
            key={epoch}
            style={{ left: `${(100 * (from - first)) / span}%` }}
            title={`epoch ${epoch} began with commit ${from}, ${moment(at)}`}
          />
        ))}
      </div>
      <button type="button" onClick={() => onMove(value + 1)} aria-label={`${label}: the next commit`}>
        ›
      </button>
      <button type="button" aria-pressed={isNow} onClick={() => onMove(last)}>
        now
      </button>
    </div>
  );
}

function Keys({ service, state, chosen }: { service: string; state: StateAt | null; chosen: string | null }) {
  return (
    <Panel
      title="Keys"
      aside={state !== null && `${count(state.rows.length)}${state.complete ? "" : " written last"}`}
      class="keys"
    >
      <ul tabIndex={0} aria-label="Keys, the one that was written last first">
        {state?.rows.map((row) => (
          <li key={row.key} class={row.key === chosen ? "chosen" : ""}>
            <a
              class="mono keyname"
              aria-current={row.key === chosen ? "true" : undefined}
              href={hrefTo("state", { service, prefix: here("prefix"), at: here("at"), key: row.key })}
            >
              {row.key}
            </a>
            <span class="mono soft ellipsis">{JSON.stringify(row.value)}</span>
            <CommitLink service={service} n={row.n}>
              {count(row.n)}
            </CommitLink>
          </li>
        ))}
        {state?.rows.length === 0 && <li class="calm">There was none.</li>}
      </ul>
    </Panel>
  );
}

const here = (name: string): string | null => new URLSearchParams(location.search).get(name);

function Key({ service, name, at }: { service: string; name: string; at: number }) {
  const { value } = useAsked<KeyHistory>(`key/${service}?key=${encodeURIComponent(name)}&at=${at}`);
  const versions = value?.key === name ? value.versions : [];
  return (
    <Panel
      title={
        <>
          <Service name={service} /> <span class="mono">{name}</span>
        </>
      }
      aside={<a href={hrefTo("log", { services: service, key: name })}>in the log</a>}
      class="key"
    >
      {value?.key === name && versions.length === 0 && <p class="calm">It was not there at that moment.</p>}
      {versions[0] !== undefined && (
        <div class="present">
          <Value value={versions[0].value} />
        </div>
      )}
      <ol class="versions">
        {versions.map((version, i) => (
          <li key={version.n}>
            <div class="when">
              <CommitLink service={service} n={version.n}>
                {count(version.n)}
              </CommitLink>
              <span>{version.op.replaceAll("_", " ")}</span>
              <time class="soft">{moment(version.at)}</time>
              <a class="soft" href={hrefTo("state", { service, prefix: here("prefix"), key: name, at: version.n })}>
                go there
              </a>
            </div>
            <Change before={versions[i + 1]?.value ?? null} after={version.value} />
          </li>
        ))}
      </ol>
      {value !== null && !value.complete && <p class="calm">Older versions stand in the log.</p>}
    </Panel>
  );
}

function Comparison({ service, a, b, prefix }: { service: string; a: number; b: number; prefix: string }) {
  const { value } = useAsked<Compared>(`compare/${service}?a=${a}&b=${b}&prefix=${encodeURIComponent(prefix)}`);
  if (value === null) return null;
  return (
    <Panel
      title={`From ${count(value.a.n)} to ${count(value.b.n)}`}
      aside={`${count(value.changes.length)} keys changed${value.complete ? "" : " at least"}`}
    >
      <p class="soft compared">
        {moment(value.a.at)} → {moment(value.b.at)}
      </p>
      <div class="changes" tabIndex={0} role="group" aria-label="Keys that changed">
        {value.changes.map((change) => (
          <div key={change.key} class="change">
            <KeyLink service={service} name={change.key} at={change.n} />
            <Change before={change.before} after={change.after} />
          </div>
        ))}
      </div>
    </Panel>
  );
}
