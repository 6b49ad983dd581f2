import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { PERCENTILES } from "../load/figures.ts";
import { cells, HEAD, type Line, type Report } from "./table.ts";

/** A plot as the page's script takes it: the names of the x values, and for each target a value at each of them. */
interface Plot {
  readonly title: string;
  readonly unit: string;
  readonly names: readonly string[];
  readonly series: readonly { readonly label: string; readonly values: readonly (number | null)[] }[];
  readonly logarithmic: boolean;
}

/** One HTML file with everything in it: the tables, the plots, and the library that draws them. */
export function page(report: Report): string {
  const { conditions, targets, lines } = report;
  const uplot = (file: string): string =>
    readFileSync(createRequire(import.meta.url).resolve(`uplot/dist/${file}`), "utf8");
  const row = (tag: string, texts: readonly string[]): string =>
    `<tr>${texts.map((cell) => `<${tag}>${escape(cell)}</${tag}>`).join("")}</tr>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Benchmark of the shop</title>
<style>${uplot("uPlot.min.css")}
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
td, th { padding: 0.2rem 0.7rem 0.2rem 0; text-align: left; border-bottom: 1px solid #ddd; }
#plots { display: flex; flex-wrap: wrap; gap: 2rem; margin-top: 2rem; }
</style>
<h1>Benchmark of the shop</h1>
${conditions.map((condition) => `<p>${escape(condition)}</p>`).join("\n")}
<table>${row("th", HEAD)}${lines.flatMap((line) => cells(line, targets).map((one) => row("td", one))).join("\n")}</table>
<div id="plots"></div>
<script>${uplot("uPlot.iife.min.js")}</script>
<script>const plots = ${JSON.stringify(plotsOf(report)).replaceAll("<", "\\u003c")};
${DRAW}</script>
</html>
`;
}

function plotsOf({ targets, lines }: Report): Plot[] {
  const rates = lines.filter(({ rows }) => rows.some((row) => row?.unit === "/s"));
  const loops = rates.filter(({ what }) => /^checkouts, \d+ connection/.test(what));
  const withLatency = lines.filter(({ rows }) => rows.some((row) => row?.figures));
  const valuesOf = (chosen: readonly Line[]): Plot["series"] =>
    targets.map((label, i) => ({ label, values: chosen.map(({ rows }) => rows[i]?.value ?? null) }));
  const throughput = (title: string, chosen: readonly Line[]): Plot => ({
    title,
    unit: "/s",
    names: chosen.map(({ what }) => what),
    series: valuesOf(chosen),
    logarithmic: false,
  });
  return [
    ...(loops.length > 1 ? [throughput("verified checkouts a second, by connections", loops)] : []),
    throughput(
      "requests a second",
      rates.filter((line) => !loops.includes(line)),
    ),
    ...lines.filter(({ rows }) => rows.some((row) => row?.timeline)).map((line) => timelineOf(line, targets)),
    ...withLatency.map(({ what, rows }) => ({
      title: `latency: ${what}`,
      unit: "ms",
      names: PERCENTILES,
      series: targets.map((label, i) => ({
        label,
        values: PERCENTILES.map((name) => rows[i]?.figures?.latency[name] ?? null),
      })),
      logarithmic: true,
    })),
  ];
}

/** One picture for all targets, with a line for each kind of each target. Every fifth position has a name. */
function timelineOf({ what, rows }: Line, targets: readonly string[]): Plot {
  const series = targets.flatMap((target, i) =>
    Object.entries(rows[i]?.timeline?.series ?? {}).map(([kind, values]) => ({ label: `${target}: ${kind}`, values })),
  );
  const every = rows.find((row) => row?.timeline)?.timeline?.every ?? 1;
  const places = Math.max(...series.map(({ values }) => values.length));
  const names = Array.from({ length: places }, (_, i) => (i % 5 === 0 ? `${i * every} s` : ""));
  return {
    title: what,
    unit: "checkouts",
    names,
    series: series.map((one) => padded(one, places)),
    logarithmic: false,
  };
}

function padded({ label, values }: Plot["series"][number], length: number): Plot["series"][number] {
  return { label, values: Array.from({ length }, (_, i) => values[i] ?? null) };
}

/** Runs in the page. */
const DRAW = `
const colours = ["#2563eb", "#dc2626", "#059669", "#9333ea", "#d97706"];
for (const { title, unit, names, series, logarithmic } of plots) {
  new uPlot({
    title, width: 560, height: 320,
    scales: { x: { time: false, range: [-0.5, names.length - 0.5] }, y: logarithmic ? { distr: 3 } : { range: (_, min, max) => [0, max * 1.1 || 1] } },
    axes: [{ splits: () => names.map((_, i) => i), values: () => names.map((name) => name.replace(/^checkouts, |, 50 connections$/g, "")), size: 90, rotate: names.some((name) => name.length > 8) ? -20 : 0 }, { label: unit, size: 70 }],
    series: [{ label: "", value: (_, i) => names[i] ?? "" }, ...series.map(({ label }, i) => ({ label, stroke: colours[i % colours.length], width: 2, points: { show: true, size: 7 } }))],
  }, [names.map((_, i) => i), ...series.map(({ values }) => values)], document.getElementById("plots"));
}
`;

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
