import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { clock } from "../lib/format.ts";

export interface Line {
  readonly label: string;
  /** A custom property of the style sheet. */
  readonly colour: string;
  readonly filled?: boolean;
}

export interface ChartProps {
  readonly title: string;
  /** Seconds since 1970, then the values of each line. */
  readonly data: uPlot.AlignedData;
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
  readonly height?: number;
  readonly logarithmic?: boolean;
  /** For who cannot see it. */
  readonly summary: string;
}

const SYNC = "time";

export function Chart({ title, data, lines, format, height = 132, logarithmic = false, summary }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const theme = document.documentElement.dataset["theme"] ?? "";

  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    // A canvas knows neither custom properties nor schemes: an element is asked what they come to.
    const colour = (name: string): string => {
      element.style.color = `var(${name})`;
      return getComputedStyle(element).color;
    };
    const made = new uPlot(
      {
        width: element.clientWidth,
        height,
        padding: [6, 6, 0, 0],
        cursor: { sync: { key: SYNC }, y: false, points: { size: 5 } },
        legend: { show: false },
        scales: {
          x: { time: true },
          // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- an enum that only its types have
          y: logarithmic ? { distr: 3 } : { range: (_plot, _low, high) => [0, Math.max(1, high * 1.15)] },
        },
        axes: [
          {
            stroke: colour("--soft"),
            grid: { show: false },
            ticks: { show: false },
            font: AXIS_FONT,
            size: 22,
            gap: 4,
            space: 80,
            values: (_plot, values) => values.map((value) => clock.format(value * 1_000)),
          },
          {
            stroke: colour("--soft"),
            grid: { stroke: colour("--line"), width: 1 },
            ticks: { show: false },
            font: AXIS_FONT,
            size: 52,
            gap: 4,
            space: 34,
            values: (_plot, values) => values.map((value) => format(value)),
            ...(logarithmic ? { splits: decades, filter: (_plot: uPlot, splits: number[]) => splits } : {}),
          },
        ],
        series: [
          {},
          ...lines.map(({ label, colour: name, filled = false }): uPlot.Series => ({
            label,
            stroke: colour(name),
            width: 1.5,
            points: { show: false },
            ...(filled ? { fill: `color-mix(in oklab, ${colour(name)} 26%, ${colour("--surface")})` } : {}),
            ...(filled && stepped ? { paths: stepped } : {}),
            spanGaps: false,
          })),
        ],
      },
      data,
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [theme, height, lines.length]);

  useEffect(() => plot.current?.setData(data), [data]);

  return (
    <figure class="chart">
      <figcaption>
        <span class="title">{title}</span>
        {lines.map(({ label, colour }) => (
          <span key={label} class="key">
            <i style={{ background: `var(${colour})` }} />
            {label}
          </span>
        ))}
      </figcaption>
      <div ref={box} role="img" aria-label={`${title}: ${summary}`} />
    </figure>
  );
}

/** 1, 10, 100 and so on; between them the half of it, where there is but one. */
function decades(_plot: uPlot, _axis: number, low: number, high: number): number[] {
  const tens = [0.1, 1, 10, 100, 1_000, 10_000, 100_000].filter((value) => value >= low && value <= high);
  return tens.length > 1
    ? tens
    : [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000].filter((value) => value >= low && value <= high);
}

const AXIS_FONT = "11px system-ui, sans-serif";
const stepped = uPlot.paths.stepped?.({ align: 1 });
