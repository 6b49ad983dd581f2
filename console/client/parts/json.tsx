/** Values as they are stored, and what changed between two of them. */
import type { ComponentChildren } from "preact";

type Row = Readonly<Record<string, unknown>>;

const isRow = (value: unknown): value is Row => typeof value === "object" && value !== null && !Array.isArray(value);

export function Value({ value }: { readonly value: unknown }) {
  if (value === null || value === undefined) return <span class="v-null">nothing</span>;
  if (!isRow(value)) return <Scalar value={value} />;
  return (
    <dl class="fields">
      {Object.entries(value).map(([name, member]) => (
        <Field key={name} name={name}>
          <Scalar value={member} />
        </Field>
      ))}
    </dl>
  );
}

/** Members that changed stand out, with what they were; the rest is there, and quiet. */
export function Change({ before, after }: { readonly before: unknown; readonly after: unknown }) {
  if (after === null || after === undefined)
    return (
      <>
        <p class="verdict bad">deleted</p>
        <Value value={before} />
      </>
    );
  if (!isRow(after) || !isRow(before))
    return (
      <>
        {before === null || before === undefined ? <p class="verdict good">new</p> : <Value value={before} />}
        <Value value={after} />
      </>
    );
  const all = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const isSame = (name: string): boolean => JSON.stringify(before[name]) === JSON.stringify(after[name]);
  const names = [...all.filter((name) => !isSame(name)), ...all.filter(isSame)];
  return (
    <dl class="fields">
      {names.map((name) => {
        const [old, now] = [before[name], after[name]];
        if (isSame(name))
          return (
            <Field key={name} name={name} quiet>
              <Scalar value={now} />
            </Field>
          );
        return (
          <Field key={name} name={name} changed>
            {old !== undefined && (
              <del>
                <Scalar value={old} />
              </del>
            )}
            {now !== undefined && (
              <ins>
                <Scalar value={now} />
              </ins>
            )}
            {typeof old === "number" && typeof now === "number" && (
              <span class={now < old ? "by down" : "by up"}>
                {now < old ? "−" : "+"}
                {Math.abs(now - old).toLocaleString("en")}
              </span>
            )}
          </Field>
        );
      })}
    </dl>
  );
}

function Field(props: { name: string; quiet?: boolean; changed?: boolean; children: ComponentChildren }) {
  return (
    <div class={`field${props.quiet ? " quiet" : ""}${props.changed ? " changed" : ""}`}>
      <dt>{props.name}</dt>
      <dd>{props.children}</dd>
    </div>
  );
}

function Scalar({ value }: { readonly value: unknown }) {
  if (value === null) return <span class="v-null">null</span>;
  if (typeof value === "number") {
    const isTime = value > 1_400_000_000_000 && value < 4_000_000_000_000;
    return (
      <span class="v-number" title={isTime ? new Date(value).toISOString() : undefined}>
        {isTime ? String(value) : value.toLocaleString("en")}
      </span>
    );
  }
  if (typeof value === "boolean") return <span class="v-boolean">{String(value)}</span>;
  if (typeof value === "string") return <span class="v-string">{value}</span>;
  return <span class="v-json">{JSON.stringify(value)}</span>;
}
