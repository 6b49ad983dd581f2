/** Kill something, and watch it come back. Only on a shop that was started for that. */
import { useState } from "preact/hooks";
import type { AuditReport } from "../../server/audit.ts";
import type { Happening } from "../../server/incidents.ts";
import type { Second } from "../../server/rates.ts";
import { Panel } from "../parts/bits.tsx";
import { act, useAsked, useTick, type LiveState } from "../lib/api.ts";
import { type About, type ActionOf, Charts, Figures, Happened } from "./now.tsx";

export function BreakPage({ live, about }: { readonly live: LiveState; readonly about: About }) {
  const { now, happened } = live;
  const tick = useTick(1_000);
  const { value: series } = useAsked<{ seconds: Second[] }>("series?step=2&count=60", tick);
  const { value: told } = useAsked<{ happenings: Happening[] }>("happenings", happened);
  useAsked<AuditReport>("audit", tick);
  const [said, setSaid] = useState<readonly string[]>([]);
  const [underWay, setUnderWay] = useState<readonly string[]>([]);
  const hurt = (name: string, title: string): void => {
    const tell = (text: string): void => setSaid((before) => [`${title}: ${text}`, ...before].slice(0, 5));
    setUnderWay((before) => [...before, name]);
    act(name)
      .then(tell, (error: unknown) => tell(error instanceof Error ? error.message : String(error)))
      .finally(() => setUnderWay((before) => before.filter((one) => one !== name)));
  };
  return (
    <div class="breaking">
      <h1 class="sr">Break it</h1>
      <Panel title="Break it">
        <p class="explained">
          Customers are buying all the while. Take something away, and watch: what was answered stays true, what was
          begun is ended, and the audit goes on reading all three logs. Nobody helps.
        </p>
        <div class="faults">
          {grouped(about.actions.filter(({ open }) => open)).map(([group, actions]) => (
            <div key={group} role="group" aria-label={group}>
              {group !== "" && <span class="lead">{group}</span>}
              {actions.map(({ name, title }) => (
                <button
                  key={name}
                  type="button"
                  class="fault"
                  disabled={underWay.includes(name)}
                  onClick={() => hurt(name, `${group} ${title}`.trim())}
                >
                  {title}
                  {underWay.includes(name) && " …"}
                </button>
              ))}
            </div>
          ))}
        </div>
        <ol class="said" aria-live="polite">
          {said.map((line) => (
            <li key={line} class="mono">
              {line}
            </li>
          ))}
        </ol>
      </Panel>
      {now !== null && <Figures now={now} />}
      <Charts seconds={series?.seconds ?? []} />
      <Happened happenings={told?.happenings ?? []} now={now?.at ?? Date.now()} />
    </div>
  );
}

/** In the order in which their first members come. */
function grouped(actions: readonly ActionOf[]): [group: string, actions: ActionOf[]][] {
  const groups = new Map<string, ActionOf[]>();
  for (const action of actions) groups.set(action.group, [...(groups.get(action.group) ?? []), action]);
  return [...groups];
}
