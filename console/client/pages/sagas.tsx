/** All checkouts there ever were, and the story of one. */
import { useCallback, useEffect, useState } from "preact/hooks";
import type { SagaLine } from "../../server/views.ts";
import { Choice, standing, State } from "../parts/bits.tsx";
import { Search } from "../parts/search.tsx";
import { VirtualList } from "../parts/virtual.tsx";
import { get, useAsked, useTick } from "../lib/api.ts";
import { brief, count, duration, moment } from "../lib/format.ts";
import { adjust, go, hrefTo, type Address } from "../lib/address.ts";
import { StoryPane } from "./story.tsx";

const STATES = [
  ["", "all"],
  ["open", "open"],
  ["stuck", "stuck"],
  ["paid", "paid"],
  ["refused", "refused"],
  ["aborted", "aborted"],
  ["taken-over", "taken over"],
] as const;

interface Page {
  readonly total: number;
  readonly rows: SagaLine[];
}

export function SagasPage({ address }: { readonly address: Address }) {
  const { query, parts } = address;
  const [selected = null] = parts;
  const asked = new URLSearchParams();
  for (const name of ["state", "text", "order", "user", "since", "until", "atleast", "atmost", "sort"]) {
    const value = query.get(name);
    if (value) asked.set(name, value);
  }
  const filter = asked.toString();
  const tick = useTick(2_000);
  const { value, error } = useAsked<Page>(`sagas?${filter}&count=0`, tick);
  const total = value?.total ?? 0;
  const load = useCallback(
    async (from: number, rows: number, signal: AbortSignal) =>
      (await get<Page>(`sagas?${filter}&from=${from}&count=${rows}`, signal)).rows,
    [filter],
  );
  const now = Date.now();
  const slowest = useSlowest(filter, tick);
  return (
    <div class={`split${selected === null ? "" : " opened"}`}>
      <div class="master">
        <h1 class="sr">Checkouts</h1>
        <div class="filters">
          <Choice
            label="State"
            options={STATES}
            value={query.get("state") ?? ""}
            onChange={(state) => adjust({ state })}
          />
          <Search
            label="Find a checkout"
            placeholder="id, order, user, trace, code"
            value={query.get("text") ?? ""}
            onChange={(text) => adjust({ text })}
          />
          <label class="inline">
            longer than
            <select
              value={query.get("atleast") ?? ""}
              onChange={(event) => adjust({ atleast: event.currentTarget.value })}
            >
              <option value="">any time</option>
              {[10, 50, 100, 500, 1_000, 5_000].map((limit) => (
                <option key={limit} value={limit}>
                  {duration(limit)}
                </option>
              ))}
            </select>
          </label>
          <Choice
            label="Order"
            options={[
              ["", "newest"],
              ["slowest", "slowest"],
            ]}
            value={query.get("sort") ?? ""}
            onChange={(sort) => adjust({ sort })}
          />
          <Given query={query} names={["order", "user", "since", "until"]} />
          <output class="total">{error === null ? `${count(total)} checkouts` : error.message}</output>
        </div>
        <VirtualList<SagaLine>
          className="sagas"
          label="Checkouts"
          total={total}
          version={`${filter}#${total}-${tick}`}
          load={load}
          keyOf={({ id }) => id}
          selected={selected}
          onOpen={({ id }) => go(hrefTo(`sagas/${id}${location.search}`))}
          empty="No checkout is like this."
          head={["began", "checkout", "order", "user", "total", "state", "took", "why"].map((name) => (
            <span key={name} role="columnheader" class={name === "total" ? "n" : ""}>
              {name}
            </span>
          ))}
          render={(saga) => {
            const word = standing(saga, now);
            const took = (saga.endedAt ?? now) - saga.startedAt;
            return (
              <>
                <span role="gridcell" class="soft">
                  {moment(saga.startedAt)}
                </span>
                <span role="gridcell" class="mono">
                  {saga.id}
                  {saga.drivers > 1 && (
                    <abbr title={`taken over: ${saga.drivers} processes drove it`} class="taken">
                      ⇄
                    </abbr>
                  )}
                </span>
                <span role="gridcell" class="mono soft">
                  {brief(saga.order)}
                </span>
                <span role="gridcell" class="mono soft">
                  {brief(saga.user)}
                </span>
                <span role="gridcell" class="n">
                  {count(saga.total)}
                </span>
                <span role="gridcell">
                  <State word={word} />
                </span>
                <span role="gridcell" class="took">
                  <i
                    class={word}
                    style={{ width: `${Math.min(100, (100 * Math.log1p(took)) / Math.log1p(slowest))}%` }}
                  />
                  {duration(Math.max(0, took))}
                </span>
                <span role="gridcell" class="soft">
                  {saga.failure === "" ? "" : saga.failure.replaceAll("_", " ")}
                </span>
              </>
            );
          }}
        />
      </div>
      {selected !== null && <StoryPane id={selected} onClose={() => go(hrefTo(`sagas${location.search}`))} />}
    </div>
  );
}

/** Milliseconds: what the longest bar stands for. */
function useSlowest(filter: string, tick: number): number {
  const [slowest, setSlowest] = useState(1_000);
  const asked = new URLSearchParams(filter);
  asked.set("sort", "slowest");
  const { value } = useAsked<Page>(`sagas?${asked}&count=1`, Math.floor(tick / 5));
  useEffect(() => {
    const [row] = value?.rows ?? [];
    if (row !== undefined) setSlowest(Math.max(100, (row.endedAt ?? Date.now()) - row.startedAt));
  }, [value]);
  return slowest;
}

/** What else the address asks for, each to be taken away. */
export function Given({ query, names }: { readonly query: URLSearchParams; readonly names: readonly string[] }) {
  return (
    <>
      {names.map((name) => {
        const value = query.get(name);
        if (value === null || value === "") return null;
        const shown = /^\d{12,}$/.test(value) ? moment(Number(value)) : value;
        return (
          <button
            key={name}
            type="button"
            class="given"
            onClick={() => adjust({ [name]: null })}
            title="Do not ask for it"
          >
            {name} <b>{shown}</b> ×
          </button>
        );
      })}
    </>
  );
}
