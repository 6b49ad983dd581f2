/** The three logs on one time line. */
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Now } from "../../server/shop-view.ts";
import type { LogRow, RecordPage } from "../../server/views.ts";
import { KeyLink, SagaLink, Service, Trouble } from "../parts/bits.tsx";
import { Change } from "../parts/json.tsx";
import { Search } from "../parts/search.tsx";
import { VirtualList } from "../parts/virtual.tsx";
import { get, useAsked } from "../lib/api.ts";
import { count, moment } from "../lib/format.ts";
import { adjust, go, hrefTo, type Address } from "../lib/address.ts";
import { Given } from "./sagas.tsx";

interface Page {
  readonly total: number;
  readonly newer: number;
  readonly left: number;
  readonly head: Readonly<Record<string, number>>;
  readonly rows: LogRow[];
}

const FILTERS = ["services", "op", "saga", "key", "text", "since", "until"] as const;

export function LogPage({
  address,
  now,
  services,
}: {
  address: Address;
  now: Now | null;
  services: readonly string[];
}) {
  const { query, parts } = address;
  const [service, n] = parts;
  const asked = new URLSearchParams();
  for (const name of FILTERS) {
    const value = query.get(name);
    if (value) asked.set(name, value);
  }
  const filter = asked.toString();
  const follows = query.get("follow") === "1";
  const latest = (now?.services ?? []).map((of) => `${of.service}:${of.last}`).join();
  // What comes later does not move what somebody reads: the list holds where it was when its filter was chosen.
  const [held, setHeld] = useState({ filter, head: "" });
  const head = follows || held.filter !== filter || held.head === "" ? latest : held.head;
  useEffect(() => {
    if (held.filter !== filter || held.head !== head) setHeld({ filter, head });
  }, [filter, head, held]);
  const [looks, setLooks] = useState(0);
  const { value, error } = useAsked<Page>(head === "" ? null : `log?${filter}&head=${head}&count=0`, `${head}${looks}`);
  const searching = (value?.left ?? 0) > 0;
  // Asked again while a search goes on.
  useEffect(() => {
    if (!searching) return;
    const timer = setInterval(() => setLooks((before) => before + 1), 300);
    return () => clearInterval(timer);
  }, [searching]);
  const total = value?.total ?? 0;
  const load = useCallback(
    async (from: number, rows: number, signal: AbortSignal) =>
      (await get<Page>(`log?${filter}&head=${head}&from=${from}&count=${rows}`, signal)).rows,
    [filter, head],
  );
  const chosen = new Set((query.get("services") ?? services.join()).split(","));
  const { value: ops } = useAsked<Record<string, string[]>>("ops");
  return (
    <div class={`split${service === undefined ? "" : " opened"}`}>
      <div class="master">
        <h1 class="sr">Log</h1>
        <div class="filters">
          <div class="choice" role="group" aria-label="Services">
            {services.map((name) => (
              <button
                key={name}
                type="button"
                aria-pressed={chosen.has(name)}
                onClick={() => {
                  const next = services.filter((one) => (one === name ? !chosen.has(one) : chosen.has(one)));
                  adjust({ services: next.length === services.length || next.length === 0 ? null : next.join() });
                }}
              >
                <Service name={name} />
              </button>
            ))}
          </div>
          <Search
            label="Text"
            placeholder="any text"
            value={query.get("text") ?? ""}
            onChange={(text) => adjust({ text })}
          />
          <Search
            label="Operation"
            placeholder="operation"
            width="9.5em"
            list={[...new Set(Object.values(ops ?? {}).flat())].sort()}
            value={query.get("op") ?? ""}
            onChange={(op) => adjust({ op })}
          />
          <Search
            label="Key"
            placeholder="key, or item:*"
            width="11em"
            value={query.get("key") ?? ""}
            onChange={(key) => adjust({ key })}
          />
          <Given query={query} names={["saga", "since", "until"]} />
          <button
            type="button"
            aria-pressed={follows}
            class="follow"
            onClick={() => adjust({ follow: follows ? null : 1 })}
          >
            follow <kbd>f</kbd>
          </button>
          <output class="total">
            {error !== null
              ? error.message
              : searching
                ? `${count(total)} found, ${count(value?.left ?? 0)} to search`
                : `${count(total)} records`}
            {!follows && (value?.newer ?? 0) + newer(head, latest) > 0 && (
              <button type="button" class="newer" onClick={() => setHeld({ filter, head: latest })}>
                {count(newer(head, latest))} newer ↑
              </button>
            )}
          </output>
        </div>
        <VirtualList<LogRow>
          className="records"
          label="Records, newest first"
          total={total}
          version={`${filter}#${head}-${searching ? total : ""}`}
          load={load}
          keyOf={(row) => `${row.service}/${row.n}`}
          selected={service === undefined ? null : `${service}/${n}`}
          onOpen={(row) => go(hrefTo(`log/${row.service}/${row.n}${location.search}`))}
          empty={searching ? "Searching…" : "No record is like this."}
          head={["at", "service", "commit", "operation", "checkout", "wrote"].map((name) => (
            <span key={name} role="columnheader">
              {name}
            </span>
          ))}
          render={(row) => <Row row={row} />}
        />
      </div>
      {service !== undefined && n !== undefined && (
        <RecordPane service={service} n={n} onClose={() => go(hrefTo(`log${location.search}`))} />
      )}
    </div>
  );
}

/** Its operation. */
function opOf(record: RecordPage["record"]): string {
  return typeof record["op"] === "string" ? record["op"] : "–";
}

/** Commits that were appended since. */
function newer(head: string, latest: string): number {
  const sum = (text: string): number =>
    text.split(",").reduce((total, part) => total + Number(part.split(":")[1] ?? 0), 0);
  return head === "" ? 0 : Math.max(0, sum(latest) - sum(head));
}

function Row({ row }: { readonly row: LogRow }) {
  return (
    <>
      <span role="gridcell" class="soft">
        {moment(row.at)}
      </span>
      <span role="gridcell">
        <Service name={row.service} />
      </span>
      <span role="gridcell" class="mono soft">
        {row.epoch}:{row.n}
      </span>
      <span role="gridcell" class={`op ${row.op}`}>
        {row.op.replaceAll("_", " ")}
      </span>
      <span role="gridcell" class="mono soft">
        {row.saga ?? ""}
      </span>
      <span role="gridcell" class="mono wrote">
        {row.brief.map(({ key, image }) => (
          <span key={key}>
            <b>{key}</b> <span class={image === null ? "bad" : "soft"}>{image ?? "deleted"}</span>{" "}
          </span>
        ))}
        {row.keys > row.brief.length && <span class="soft">and {count(row.keys - row.brief.length)} more</span>}
      </span>
    </>
  );
}

function RecordPane({ service, n, onClose }: { service: string; n: string; onClose: () => void }) {
  const { value, error } = useAsked<RecordPage>(`record/${service}/${n}`);
  const page = value?.service === service && String(value.record.n) === n ? value : null;
  return (
    <aside class="detail" aria-label={`Commit ${n} of ${service}`}>
      <header class="detail-head">
        <h2>
          <Service name={service} /> <span class="mono">{page === null ? n : `${page.record.epoch}:${n}`}</span>
        </h2>
        <a
          class="step"
          href={hrefTo(`log/${service}/${Math.max(1, Number(n) - 1)}${location.search}`)}
          aria-label="The commit before"
        >
          ‹
        </a>
        <a class="step" href={hrefTo(`log/${service}/${Number(n) + 1}${location.search}`)} aria-label="The next commit">
          ›
        </a>
        <button type="button" class="quiet" onClick={onClose} aria-label="Esc: close">
          Esc
        </button>
      </header>
      {page === null ? (
        <Trouble error={error} />
      ) : (
        <>
          <dl class="facts">
            <div>
              <dt>operation</dt>
              <dd>{opOf(page.record).replaceAll("_", " ")}</dd>
            </div>
            <div>
              <dt>at</dt>
              <dd title={page.record.at}>{moment(page.record.at)}</dd>
            </div>
            <div>
              <dt>process</dt>
              <dd class="mono">{page.record.tx}</dd>
            </div>
            {typeof page.record["saga"] === "string" && (
              <div>
                <dt>checkout</dt>
                <dd>
                  <SagaLink id={page.record["saga"]} />
                </dd>
              </div>
            )}
          </dl>
          {page.changes.map((change) => (
            <div key={change.key} class="change">
              <KeyLink service={service} name={change.key} at={page.record.n} />
              {change.previous > 0 && (
                <a class="soft before" href={hrefTo(`log/${service}/${change.previous}${location.search}`)}>
                  was {count(change.previous)}
                </a>
              )}
              <Change before={change.before} after={change.after} />
            </div>
          ))}
          {page.keys > page.changes.length && (
            <p class="calm">and {count(page.keys - page.changes.length)} more keys</p>
          )}
        </>
      )}
    </aside>
  );
}
