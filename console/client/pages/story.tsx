/** One checkout: who worked for it, when, and what each step wrote. */
import { useState } from "preact/hooks";
import type { Bar, Story } from "../../server/story.ts";
import { CommitLink, KeyLink, Panel, Service, standing, State, Trouble } from "../parts/bits.tsx";
import { Change } from "../parts/json.tsx";
import type { RecordPage } from "../../server/views.ts";
import { useAsked, useTick } from "../lib/api.ts";
import { count, duration, moment, time } from "../lib/format.ts";
import { hrefTo } from "../lib/address.ts";

export function StoryPane({ id, onClose }: { readonly id: string; readonly onClose: () => void }) {
  const tick = useTick(1_000);
  const [settled, setSettled] = useState("");
  const { value: story, error } = useAsked<Story>(`saga/${encodeURIComponent(id)}`, settled === id ? -1 : tick);
  if (story !== null && story.id === id && settled !== id && isSettled(story)) setSettled(id);
  const shown = story?.id === id ? story : null;
  return (
    <aside class="detail" aria-label={`Checkout ${id}`}>
      <header class="detail-head">
        <h2 class="mono">{id}</h2>
        <button type="button" class="quiet" onClick={onClose} aria-label="Esc: close">
          Esc
        </button>
      </header>
      {shown === null ? <Trouble error={error} /> : <Told story={shown} />}
    </aside>
  );
}

function isSettled({ saga }: Story): boolean {
  return saga?.state === "paid" || saga?.state === "failed";
}

function Told({ story }: { readonly story: Story }) {
  const { saga, bars, records, drivers, trace } = story;
  const from = Math.min(...bars.map((bar) => bar.sent ?? bar.from));
  const to = Math.max(...bars.map((bar) => bar.to), from + 1);
  const [chosen, setChosen] = useState(0);
  const bar = bars[chosen];
  return (
    <>
      {saga !== null && (
        <dl class="facts">
          <Fact name="state">
            <State word={standing({ ...saga, failure: saga.failure?.code ?? "" }, Date.now())} />
          </Fact>
          <Fact name="took">{duration(to - from)}</Fact>
          <Fact name="total">{count(saga.total)}</Fact>
          <Fact name="order">
            <KeyLink service="order" name={`order:${saga.order}`} />
          </Fact>
          <Fact name="user">
            <KeyLink service="payment" name={`user:${saga.user}`} />
          </Fact>
          <Fact name="items">
            {saga.items.map(([item, quantity], i) => (
              <span key={item} class="lines">
                {i > 0 && ", "}
                {quantity} × <KeyLink service="stock" name={`item:${item}`} />
              </span>
            ))}
          </Fact>
          <Fact name="began">{moment(saga.startedAt)}</Fact>
          {saga.failure !== undefined && (
            <Fact name="why">
              <b>{saga.failure.code.replaceAll("_", " ")}</b>: {saga.failure.message}
            </Fact>
          )}
          {drivers.length > 1 && (
            <Fact name="driven by">
              {drivers.map((driver, i) => (
                <span key={driver}>
                  {i > 0 && " ⇄ "}
                  <span class="mono">{driver}</span>
                </span>
              ))}{" "}
              <span class="soft">the first one was gone</span>
            </Fact>
          )}
          {trace !== null && (
            <Fact name="trace">
              <a class="mono" href={hrefTo("sagas", { text: trace })}>
                {trace}
              </a>
            </Fact>
          )}
        </dl>
      )}
      <Waterfall bars={bars} from={from} to={to} chosen={chosen} onChoose={setChosen} />
      {bar !== undefined && <Under bar={bar} />}
      <Panel title="In the logs" aside={<a href={hrefTo("log", { saga: story.id })}>all on the time line</a>}>
        <table class="lines-of">
          <tbody>
            {records.map(({ service, n, record }) => (
              <tr key={`${service}${n}`}>
                <td class="soft">{time(record.at)}</td>
                <td>
                  <Service name={service} />
                </td>
                <td>
                  <CommitLink service={service} n={n}>
                    {record.epoch}:{n}
                  </CommitLink>
                </td>
                <td>{String(record["op"]).replaceAll("_", " ")}</td>
                <td class="soft">{Object.keys(record.set).length} keys</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Panel>
    </>
  );
}

function Fact({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Waterfall(props: {
  bars: readonly Bar[];
  from: number;
  to: number;
  chosen: number;
  onChoose: (i: number) => void;
}) {
  const { bars, from, to, chosen, onChoose } = props;
  const span = to - from;
  const percent = (at: number): string => `${(100 * (at - from)) / span}%`;
  return (
    <div class="waterfall" role="group" aria-label="Waterfall">
      <div class="scale" aria-hidden="true">
        {[0, 0.25, 0.5, 0.75, 1].map((part) => (
          <span key={part} style={{ left: `${100 * part}%` }}>
            {duration(part * span)}
          </span>
        ))}
      </div>
      {bars.map((bar, i) => {
        const failed = bar.status !== null && bar.status >= 400;
        return (
          <button
            key={i}
            type="button"
            class={`bar-row ${bar.service} ${bar.kind}${failed ? " failed" : ""}`}
            aria-pressed={i === chosen}
            onClick={() => onChoose(i)}
          >
            <span class="bar-name">
              {bar.name.replaceAll("_", " ")}
              {bar.attempt > 1 && <sup>{bar.attempt}</sup>}
            </span>
            <span class="bar-track">
              {bar.sent !== null && (
                <span
                  class="in-queue"
                  style={{ left: percent(bar.sent), width: `${(100 * (bar.from - bar.sent)) / span}%` }}
                />
              )}
              <span
                class="bar"
                style={{ left: percent(bar.from), width: `max(3px, ${(100 * (bar.to - bar.from)) / span}%)` }}
              >
                {bar.committed !== null && bar.kind !== "checkout" && bar.to > bar.from && (
                  <i
                    class="commit"
                    style={{
                      left: `${Math.min(100, Math.max(0, (100 * (bar.committed - bar.from)) / (bar.to - bar.from)))}%`,
                    }}
                  />
                )}
              </span>
            </span>
            <span class="bar-time">
              {bar.to > bar.from && duration(bar.to - bar.from)}
              {failed && <b> {bar.status}</b>}
            </span>
          </button>
        );
      })}
    </div>
  );
}

/** The log's line under a bar: what the step changed. */
function Under({ bar }: { readonly bar: Bar }) {
  const { commit } = bar;
  const { value } = useAsked<RecordPage>(commit === null ? null : `record/${commit.service}/${commit.n}`);
  return (
    <Panel
      title={
        <>
          <Service name={bar.service} /> {bar.name.replaceAll("_", " ")}
        </>
      }
      aside={commit !== null && <CommitLink service={commit.service} n={commit.n} />}
      class="under"
    >
      <dl class="facts">
        {bar.sent !== null && (
          <Fact name="sent">
            {time(bar.sent)} <span class="soft">{duration(bar.from - bar.sent)} in queue</span>
          </Fact>
        )}
        <Fact name="from">{time(bar.from)}</Fact>
        {bar.committed !== null && (
          <Fact name="committed">
            {time(bar.committed)} <span class="soft">after {duration(Math.max(0, bar.committed - bar.from))}</span>
          </Fact>
        )}
        <Fact name="answered">
          {bar.status !== null
            ? `${bar.status} after ${duration(bar.to - bar.from)}`
            : bar.sent !== null
              ? `after ${duration(bar.to - bar.from)}`
              : "only the log tells of it"}
        </Fact>
        {bar.requestId !== null && (
          <Fact name={bar.sent === null ? "request" : "message"}>
            <span class="mono">{bar.requestId}</span>
          </Fact>
        )}
        {bar.driver !== null && (
          <Fact name="process">
            <span class="mono">{bar.driver}</span>
          </Fact>
        )}
        {bar.error !== null && <Fact name="error">{bar.error}</Fact>}
      </dl>
      {commit === null && <p class="calm">It wrote nothing.</p>}
      {commit !== null &&
        value?.changes.map((change) => (
          <div key={change.key} class="change">
            <KeyLink service={commit.service} name={change.key} at={commit.n} />
            <Change before={change.before} after={change.after} />
          </div>
        ))}
    </Panel>
  );
}
