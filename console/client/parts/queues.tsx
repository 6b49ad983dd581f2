/** What waits between the services, where checkouts go by events. */
import { useState } from "preact/hooks";
import type { QueueNow } from "../../server/queues.ts";
import { Panel, SagaLink, Service, Trouble } from "./bits.tsx";
import { useAsked, wish } from "../lib/api.ts";
import { count, duration, moment } from "../lib/format.ts";

export function QueuesPanel(props: { queues: readonly QueueNow[]; now: number; redrivable: boolean }) {
  const { queues, now, redrivable } = props;
  const [shown, setShown] = useState<string | null>(null);
  const chosen = queues.find(({ service, dead }) => service === shown && dead > 0);
  return (
    <Panel title="Queues">
      {queues.length === 0 && <p class="calm">The queues do not answer.</p>}
      {queues.length > 0 && (
        <table>
          <thead>
            <tr>
              <th>to</th>
              <th class="n">waiting</th>
              <th class="n">oldest</th>
              <th class="n">worked on</th>
              <th class="n">dead letters</th>
              <th>
                <span class="sr">what to do</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {queues.map(({ service, waiting, oldest, inFlight, dead }) => (
              <tr key={service}>
                <th scope="row">
                  <Service name={service} />
                </th>
                <td class="n">{count(waiting)}</td>
                <td class="n">{oldest === null ? "–" : duration(Math.max(0, now - oldest))}</td>
                <td class="n">{count(inFlight)}</td>
                <td class={dead > 0 ? "n bad" : "n"}>{count(dead)}</td>
                <td class="do">
                  {dead > 0 && (
                    <button
                      type="button"
                      class="quiet"
                      aria-expanded={chosen?.service === service}
                      onClick={() => setShown(chosen?.service === service ? null : service)}
                    >
                      {chosen?.service === service ? "Hide" : "Show"}
                    </button>
                  )}
                  {dead > 0 && redrivable && (
                    <button type="button" class="quiet" onClick={() => wish({ action: "redrive", argument: service })}>
                      Redrive
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {chosen !== undefined && <DeadLetters key={chosen.service} service={chosen.service} dead={chosen.dead} />}
    </Panel>
  );
}

interface Letter {
  readonly id: string;
  readonly sentAt: number;
  readonly receives: number;
  readonly text: string;
}

function DeadLetters({ service, dead }: { readonly service: string; readonly dead: number }) {
  const { value, error } = useAsked<Letter[]>(`dead-letters/${service}`, dead);
  return (
    <>
      <Trouble error={error} />
      <ul class="letters" aria-label={`Dead letters of ${service}`}>
        {value?.map(({ id, sentAt, receives, text }) => (
          <li key={id}>
            <span class="soft">
              {moment(sentAt)}, tried {receives} times{" "}
            </span>
            {sagaOf(text) !== null && <SagaLink id={sagaOf(text) ?? ""} />}
            <code>{text}</code>
          </li>
        ))}
      </ul>
      {value !== null && value.length < dead && <p class="calm">and {count(dead - value.length)} more</p>}
    </>
  );
}

/** What could not be handled may be anything. */
function sagaOf(text: string): string | null {
  return /"saga":"([\w-]{1,64})"/.exec(text)?.[1] ?? null;
}
