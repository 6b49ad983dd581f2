/** What the shop does at this moment. */
import { useMemo } from "preact/hooks";
import type { AuditReport } from "../../server/audit.ts";
import type { Happening } from "../../server/incidents.ts";
import type { Second } from "../../server/rates.ts";
import type { Now, ServiceNow } from "../../server/shop-view.ts";
import { Kbd, Panel, SagaLink, Service, standing, State } from "../parts/bits.tsx";
import { Chart } from "../parts/chart.tsx";
import { QueuesPanel } from "../parts/queues.tsx";
import { useAsked, useTick, wish, type LiveState } from "../lib/api.ts";
import { ago, brief, bytes, count, duration, rate, time } from "../lib/format.ts";
import { hrefTo } from "../lib/address.ts";

const STEP = 2;
const POINTS = 150;
const LEAST_POINTS = 30;

export function NowPage({ live, about }: { readonly live: LiveState; readonly about: About }) {
  const { now, happened } = live;
  const tick = useTick(2_000);
  const end = now?.live === false ? `&end=${now.end + 1_000}` : "";
  const { value: series } = useAsked<{ seconds: Second[] }>(`series?step=${STEP}&count=${POINTS}${end}`, tick);
  const { value: told } = useAsked<{ happenings: Happening[] }>("happenings", happened);
  // Whoever looks at this page wants to know whether it adds up: asking keeps the audit going.
  useAsked<AuditReport>("audit", tick);
  if (now === null) return <p class="loading">Reading the logs…</p>;
  return (
    <div class="now">
      <h1 class="sr">Now</h1>
      <Figures now={now} />
      <Charts seconds={series?.seconds ?? []} />
      <Services now={now} />
      {now.queues !== null && (
        <QueuesPanel
          queues={now.queues}
          now={now.at}
          redrivable={about.actions.some(({ name }) => name === "redrive")}
        />
      )}
      <div class="pair">
        <Open now={now} resumable={about.actions.some(({ name }) => name === "resume")} />
        <Happened happenings={told?.happenings ?? []} now={now.at} />
      </div>
    </div>
  );
}

export interface ActionOf {
  readonly name: string;
  readonly title: string;
  readonly group: string;
  readonly open: boolean;
}

export interface About {
  readonly source: string;
  readonly services: readonly string[];
  readonly requestLog: boolean;
  readonly actions: readonly ActionOf[];
  readonly mayAct: boolean;
}

export function Figures({ now }: { readonly now: Now }) {
  const { window, checkouts, conserved } = now;
  const settled = window.paid + window.refused + window.aborted;
  return (
    <div class="figures">
      <Figure label="checkouts/s" href={hrefTo("sagas")} value={rate(settled / window.seconds)} />
      <Figure label="half within" href={hrefTo("sagas", { sort: "slowest" })} {...asTime(window.p50)} />
      <Figure label="99 % within" href={hrefTo("sagas", { sort: "slowest" })} {...asTime(window.p99)} />
      <Figure
        label={`paid, of ${count(settled)} in ${window.seconds} s`}
        href={hrefTo("sagas", { state: "paid" })}
        value={settled === 0 ? "–" : `${Math.floor((100 * window.paid) / settled)}`}
        unit={settled === 0 ? "" : "%"}
      />
      <Figure label="open" href={hrefTo("sagas", { state: "open" })} value={count(checkouts.open)} />
      <Figure
        label="stuck"
        href={hrefTo("sagas", { state: "stuck" })}
        value={count(checkouts.stuck)}
        tone={checkouts.stuck > 0 ? "bad" : undefined}
      />
      <Figure
        label={conserved === null ? "audit is reading" : `audited ${ago(conserved.at ?? now.at, now.at)}`}
        href={hrefTo("audit")}
        value={
          conserved === null ? "…" : conserved.violations === 0 ? "conserved" : `${conserved.violations} violations`
        }
        tone={conserved === null ? undefined : conserved.violations === 0 ? "good" : "bad"}
        wide
      />
    </div>
  );
}

function asTime(milliseconds: number | null): { value: string; unit: string } {
  if (milliseconds === null) return { value: "–", unit: "" };
  const [value = "", unit = ""] = duration(milliseconds >= 10 ? Math.round(milliseconds) : milliseconds).split(" ");
  return { value, unit };
}

function Figure(props: {
  label: string;
  href: string;
  value: string;
  unit?: string;
  tone?: "good" | "bad" | undefined;
  wide?: boolean;
}) {
  const { label, href, value, unit = "", tone, wide = false } = props;
  return (
    <a class={`figure${wide ? " wide" : ""} ${tone ?? ""}`} href={href}>
      <span class="value">
        {value}
        {unit !== "" && <small>{unit}</small>}
      </span>
      <span class="label">{label}</span>
    </a>
  );
}

const whole = (value: number): string => (value >= 1_000 ? `${value / 1_000}k` : String(Math.round(value * 10) / 10));

/** From where on there is something to see, but a minute at least: a shop that has just been opened is no flat line. */
function sinceAnything(all: readonly Second[]): readonly Second[] {
  const first = all.findIndex(({ started, paid, refused, aborted }) => started + paid + refused + aborted > 0);
  return all.slice(Math.max(0, Math.min(first < 0 ? 0 : first - 1, all.length - LEAST_POINTS)));
}

export function Charts({ seconds: all }: { readonly seconds: readonly Second[] }) {
  const seconds = useMemo(() => sinceAnything(all), [all]);
  const [rates, times] = useMemo(() => {
    const at = seconds.map((second) => second.at / 1_000);
    const paid = seconds.map((second) => second.paid / STEP);
    const refused = seconds.map((second) => (second.paid + second.refused) / STEP);
    const aborted = seconds.map((second) => (second.paid + second.refused + second.aborted) / STEP);
    return [
      // The tallest first: each is painted over the one behind it, so that they stand on each other.
      [at, aborted, refused, paid],
      [at, seconds.map(({ p99 }) => p99), seconds.map(({ p50 }) => p50)],
    ] as const;
  }, [seconds]);
  const last = seconds.at(-1);
  return (
    <div class="pair charts">
      <Chart
        title="Checkouts a second"
        data={rates as never}
        format={whole}
        lines={[
          { label: "aborted", colour: "--bad", filled: true },
          { label: "refused", colour: "--warn", filled: true },
          { label: "paid", colour: "--good", filled: true },
        ]}
        summary={last === undefined ? "nothing yet" : `${last.paid / STEP} paid a second at last`}
      />
      <Chart
        title="How long they take"
        data={times as never}
        format={(value) => duration(value)}
        logarithmic={times[1].some((value) => value !== null)}
        lines={[
          { label: "99 %", colour: "--order" },
          { label: "half", colour: "--good" },
        ]}
        summary={
          last?.p50 === undefined || last.p50 === null ? "nothing yet" : `half within ${duration(last.p50)} at last`
        }
      />
    </div>
  );
}

function Services({ now }: { readonly now: Now }) {
  const { shop } = now;
  return (
    <Panel
      title="Services"
      aside={
        shop.up && shop.active !== null ? (
          <span>
            requests: {count(shop.active)} under way, {count(shop.queued ?? 0)} in queue
            {shop.loopDelay !== null && `, event loop ${duration(shop.loopDelay)} late`}
          </span>
        ) : undefined
      }
    >
      <table>
        <thead>
          <tr>
            <th>service</th>
            <th class="n">epoch</th>
            <th class="n">commit</th>
            <th class="n">commits/s</th>
            <th class="n">log</th>
            <th class="n">transactions a group</th>
            <th class="n">append</th>
            <th class="n">restores</th>
            <th>reading</th>
          </tr>
        </thead>
        <tbody>
          {now.services.map((service) => (
            <ServiceRow key={service.service} service={service} />
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

function ServiceRow({ service: of }: { readonly service: ServiceNow }) {
  return (
    <tr>
      <th scope="row">
        <a href={hrefTo("log", { services: of.service })}>
          <Service name={of.service} />
        </a>
      </th>
      <td class="n">{of.epoch === 0 ? "–" : of.epoch}</td>
      <td class="n">
        <a href={hrefTo(`log/${of.service}/${of.last}`)}>{count(of.last)}</a>
      </td>
      <td class="n">{rate(of.rate)}</td>
      <td class="n">{bytes(of.bytes)}</td>
      <td class="n">{of.groupSize === null ? "–" : of.groupSize.toFixed(1)}</td>
      <td class="n">{of.appendMs === null ? "–" : duration(of.appendMs)}</td>
      <td class="n">{of.restores === null ? "–" : of.restores}</td>
      <td>
        {of.problem !== null ? <span class="bad">{of.problem}</span> : of.caughtUp ? "up to date" : "catching up"}
      </td>
    </tr>
  );
}

function Open({ now, resumable }: { readonly now: Now; readonly resumable: boolean }) {
  return (
    <Panel
      title="Open checkouts"
      aside={
        resumable ? (
          <button type="button" class="quiet" onClick={() => wish({ action: "resume" })}>
            Resume now
          </button>
        ) : undefined
      }
    >
      {now.open.length === 0 ? (
        <p class="calm">None. Every checkout has ended, paid or with nothing taken.</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th>checkout</th>
              <th>state</th>
              <th class="n">for</th>
              <th class="n">total</th>
            </tr>
          </thead>
          <tbody>
            {now.open.map((saga) => (
              <tr key={saga.id}>
                <td>
                  <SagaLink id={saga.id}>{brief(saga.id)}</SagaLink>
                </td>
                <td>
                  <State word={standing(saga, now.at)} />
                </td>
                <td class="n">{duration(Math.max(0, now.at - saga.startedAt))}</td>
                <td class="n">{count(saga.total)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

export function Happened({ happenings, now }: { readonly happenings: readonly Happening[]; readonly now: number }) {
  return (
    <Panel title="What happened" aside={<Kbd>newest first</Kbd>}>
      {happenings.length === 0 && <p class="calm">Nothing out of the ordinary.</p>}
      <ol class="happened" tabIndex={0} aria-label="What happened, newest first">
        {[...happenings].reverse().map(({ at, level, text }) => (
          <li key={`${at} ${text}`} class={level}>
            <a href={hrefTo("log", { until: at + 1_000 })} title={new Date(at).toISOString()}>
              <time>{time(at).slice(0, 8)}</time>
            </a>
            <span>{text}</span>
            <small>{ago(at, now)}</small>
          </li>
        ))}
      </ol>
    </Panel>
  );
}
