import type { Percentile } from "../load/figures.ts";
import type { Row } from "../rows.ts";

/** What was measured, of each target: the medians of its rounds. */
export interface Report {
  /** How it was measured: printed above the table. */
  readonly conditions: readonly string[];
  readonly targets: readonly string[];
  readonly lines: readonly Line[];
}

export interface Line {
  readonly scenario: string;
  readonly what: string;
  /** In the order of the targets; undefined where one was not measured. */
  readonly rows: readonly (Row | undefined)[];
}

const SHOWN: readonly Percentile[] = ["p50", "p99", "max"];

/** The columns of a line: what the table and the page have in common. */
export const HEAD = ["", "target", "", "ratio", ...SHOWN.map((name) => `${name} ms`), "statuses", "client", ""];

export function cells({ what, rows }: Line, targets: readonly string[]): string[][] {
  const first = rows[0]?.value;
  return rows.flatMap((row, i) => {
    if (row === undefined) return [];
    const { value, unit, figures, note = "", untrue } = row;
    const ratio = first === undefined || rows.length === 1 ? "" : (value / first).toFixed(2);
    const latency = SHOWN.map((name) => figures?.latency[name].toFixed(1) ?? "");
    const statuses = Object.entries(figures?.statuses ?? {})
      .map(([status, count]) => `${status}: ${count}`)
      .join(", ");
    const client = figures === undefined ? "" : `${(100 * figures.clientLoad).toFixed(0)} %`;
    return [
      [
        i === 0 ? what : "",
        targets[i] ?? "",
        shown(value, unit),
        ratio,
        ...latency,
        statuses,
        client,
        untrue === undefined ? note : `NOT TRUE: ${untrue}`,
      ],
    ];
  });
}

export function table({ conditions, targets, lines }: Report): string {
  const body = lines.flatMap((line) => cells(line, targets));
  const widths = HEAD.map((head, column) => Math.max(head.length, ...body.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return [...conditions, "", line(HEAD), ...body.map(line), ""].join("\n");
}

export function shown(value: number, unit: Row["unit"]): string {
  if (unit === "s") return `${value.toFixed(2)} s`;
  if (unit === "%") return `${value.toFixed(1)} %`;
  return unit === "MB" ? `${value.toFixed(0)} MB` : `${Math.round(value).toLocaleString("en")}/s`;
}
