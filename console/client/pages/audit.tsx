/** Whether it adds up. Every figure leads to what is behind it. */
import type { AuditReport } from "../../server/audit.ts";
import type { VerifyReport } from "../../server/verification.ts";
import type { Sums } from "../../../tools/accounts.ts";
import { Panel, Service, Trouble } from "../parts/bits.tsx";
import { get, useAsked, useTick } from "../lib/api.ts";
import { count, moment } from "../lib/format.ts";
import { hrefTo } from "../lib/address.ts";

export function AuditPage() {
  const tick = useTick(1_000);
  const { value: audit, error } = useAsked<AuditReport>("audit", tick);
  const { value: verified } = useAsked<VerifyReport>("verify", tick);
  return (
    <div class="audit">
      <h1 class="sr">Audit</h1>
      <Trouble error={error} />
      <Conservation audit={audit} />
      <Verified report={verified} />
    </div>
  );
}

function Conservation({ audit }: { readonly audit: AuditReport | null }) {
  const result = audit?.result;
  const progress = audit === null || audit.of === 0 ? 0 : audit.done / audit.of;
  return (
    <Panel
      title="Conservation"
      aside={
        audit === null || audit.at === null ? (
          <progress value={progress} aria-label="Read of the logs" />
        ) : (
          `${count(audit.done)} commits, ${moment(audit.at)}`
        )
      }
    >
      {typeof audit?.problem === "string" && <p class="trouble">{audit.problem}</p>}
      {result === undefined || result === null ? (
        <p class="calm">Adding up what the three logs say…</p>
      ) : (
        <>
          <p class={`seal ${result.violations.length === 0 ? "good" : "bad"}`} role="status">
            {result.violations.length === 0 ? "conserved" : `${count(result.violations.length)} violations`}
          </p>
          <p class="explained">
            Stock and credit went where the paid orders say, nothing is negative, and no order was charged twice: worked
            out from the logs alone, over and over while you look.
          </p>
          <div class="balances">
            <Balance
              service="payment"
              what="credit"
              sums={result.credit}
              put="create_user,batch_init,add_funds"
              out="pay"
              spent="charge,refund"
            />
            <Balance
              service="stock"
              what="stock"
              sums={result.stock}
              put="create_item,batch_init,add"
              out="subtract"
              spent="reserve,release"
            />
          </div>
          <p class="checkouts">
            <a href={hrefTo("sagas", { state: "paid" })}>
              <b>{count(result.checkouts.paid)}</b> paid
            </a>
            <a href={hrefTo("sagas", { state: "failed" })}>
              <b>{count(result.checkouts.failed)}</b> failed
            </a>
            <a href={hrefTo("sagas", { state: "open" })}>
              <b>{count(result.checkouts.open)}</b> open
            </a>
          </p>
          <ul class="violations">
            {result.violations.slice(0, 100).map((violation) => (
              <li key={violation}>
                <Linked text={violation} />
              </li>
            ))}
          </ul>
        </>
      )}
    </Panel>
  );
}

function Linked({ text }: { readonly text: string }) {
  const [, before = "", id, after = ""] = /^(.*?checkout )(\S+)(.*)$/.exec(text) ?? [];
  if (id === undefined) return <>{text}</>;
  return (
    <>
      {before}
      <a class="mono" href={hrefTo(`sagas/${id}`)}>
        {id}
      </a>
      {after}
    </>
  );
}

function Balance(props: { service: string; what: string; sums: Sums; put: string; out: string; spent: string }) {
  const { service, what, sums, put, out, spent } = props;
  const whole = Math.max(1, sums.putIn + Math.max(0, sums.turnedBack));
  const part = (amount: number): string => `${(100 * Math.max(0, amount)) / whole}%`;
  const to = (op: string): string => hrefTo("log", { services: service, op });
  return (
    <div class={`balance ${service}`}>
      <h3>
        <span class={`service ${service}`}>
          <i aria-hidden="true" />
          {what}
        </span>
      </h3>
      <div class="proportion" aria-hidden="true">
        <i class="left" style={{ width: part(sums.left) }} />
        <i class="spent" style={{ width: part(sums.spent) }} />
        <i class="out" style={{ width: part(sums.takenOut) }} />
      </div>
      <dl>
        <Sum name="put in" href={to(put)} amount={sums.putIn} />
        {sums.turnedBack !== 0 && <Sum name="by restores" href={to("restore")} amount={sums.turnedBack} />}
        <Sum name="taken out directly" href={to(out)} amount={-sums.takenOut} mark="out" />
        <Sum name="spent in checkouts" href={to(spent)} amount={-sums.spent} mark="spent" />
        <Sum
          name="left"
          href={hrefTo("state", { service, prefix: service === "stock" ? "item:" : "user:" })}
          amount={sums.left}
          mark="left"
          total
        />
      </dl>
    </div>
  );
}

function Sum(props: { name: string; href: string; amount: number; mark?: string; total?: boolean }) {
  return (
    <div class={props.total === true ? "sum total" : "sum"}>
      <dt>
        <i class={props.mark ?? "none"} aria-hidden="true" />
        {props.name}
      </dt>
      <dd>
        <a href={props.href}>{count(props.amount || 0).replace("-", "−")}</a>
      </dd>
    </div>
  );
}

function Verified({ report }: { readonly report: VerifyReport | null }) {
  return (
    <Panel
      title="Verify"
      aside={
        <button
          type="button"
          disabled={report?.state === "running"}
          onClick={() => void get("verify?start=1").catch(() => undefined)}
        >
          {report?.state === "running" ? "verifying…" : "Verify now"}
        </button>
      }
    >
      <p class="explained">
        Every checksum, every commit, every transition: whether each record follows from the ones before it.
      </p>
      {typeof report?.problem === "string" && <p class="trouble">{report.problem}</p>}
      {report !== null && report.services.length > 0 && (
        <table>
          <thead>
            <tr>
              <th>log</th>
              <th class="n">commits</th>
              <th>verdict</th>
            </tr>
          </thead>
          <tbody>
            {report.services.map(({ service, done, damages, findings, ended }) => (
              <tr key={service}>
                <th scope="row">
                  <Service name={service} />
                </th>
                <td class="n">{count(done)}</td>
                <td>
                  {!ended ? (
                    "reading…"
                  ) : damages === 0 ? (
                    <b class="good">sound</b>
                  ) : (
                    <b class="bad">{count(damages)} problems</b>
                  )}
                  {findings.map(({ file, line, what, kind }) => (
                    <p key={`${file}${line}${what}`} class={kind === "damage" ? "bad" : "soft"}>
                      <span class="mono">
                        {file}
                        {line > 0 ? `:${line}` : ""}
                      </span>{" "}
                      {what}
                    </p>
                  ))}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}
