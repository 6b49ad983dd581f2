import { expect, test } from "@jest/globals";
import { figures, median } from "../load/figures.ts";
import { readOptions } from "../options.ts";
import { page } from "../report/page.ts";
import { table, type Report } from "../report/table.ts";
import { medianRow, type Row } from "../rows.ts";

const result = { seconds: 2, statuses: [200, 200, 503, 0], latencies: [5, 1, 3, 99], bodies: [], clientLoad: 0.25 };

test("only what turned out to be true counts, and latencies are of what was answered", () => {
  expect(figures(result, 1)).toEqual({
    perSecond: 0.5,
    clientLoad: 0.25,
    statuses: { "0": 1, "200": 2, "503": 1 },
    latency: { p50: 3, p90: 5, p99: 5, "p99.9": 5, max: 5 },
  });
});

test("rounds become medians, and their statuses are added up", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  const rows: Row[] = [1, 9, 2].map((value) => ({ what: "w", value, unit: "/s", figures: figures(result, value) }));
  expect(medianRow(rows)).toMatchObject({ value: 2, figures: { perSecond: 1, statuses: { "200": 6 } } });
});

test("what turned out not to be true in any of the rounds stands beside the figure", () => {
  const rows: Row[] = [undefined, "9 adds were answered 200, 8 are there", undefined].map((untrue) => ({
    what: "adds",
    value: 1,
    unit: "/s",
    note: "none lost",
    ...(untrue === undefined ? {} : { untrue }),
  }));
  expect(
    table({ conditions: [], targets: ["first"], lines: [{ scenario: "s", what: "adds", rows: [medianRow(rows)] }] }),
  ).toContain("NOT TRUE: 9 adds were answered 200, 8 are there");
});

const report: Report = {
  conditions: ["2 cores </script>"],
  targets: ["first", "second"],
  lines: [
    {
      scenario: "s",
      what: "checkouts",
      rows: [
        { what: "checkouts", value: 100, unit: "/s", figures: figures(result, 1) },
        { what: "checkouts", value: 250, unit: "/s" },
      ],
    },
    { scenario: "s", what: "memory", rows: [undefined, { what: "memory", value: 20, unit: "MB" }] },
    {
      scenario: "s",
      what: "paid",
      rows: [
        { what: "paid", value: 25, unit: "%", timeline: { every: 1, series: { paid: [0, 1] } } },
        { what: "paid", value: 100, unit: "%", timeline: { every: 1, series: { paid: [0, 2, 4] } } },
      ],
    },
  ],
};

test("the table has a line for each target, with its ratio to the first", () => {
  const lines = table(report).split("\n");
  expect(lines[3]).toMatch(/^checkouts +first +100\/s +1\.00 +3\.0 +5\.0 +5\.0 +0: 1, 200: 2, 503: 1 +25 %$/);
  expect(lines[4]).toMatch(/^ +second +250\/s +2\.50$/);
  expect(lines[5]).toMatch(/ +second +20 MB$/);
  expect(lines[6]).toMatch(/^paid +first +25\.0 % +1\.00$/);
});

test("the page loads nothing from elsewhere, and no text of a report ends up as markup", () => {
  const html = page(report);
  expect(html).not.toMatch(/(src|href)=|@import|url\(http/);
  expect(html).toContain("2 cores &lt;/script>");
  expect(html.split("</script>")).toHaveLength(3);
});

test("what goes on in time is one picture with a line for each target", () => {
  const plots = JSON.parse(/const plots = (\[.*\]);/.exec(page(report))?.[1] ?? "") as {
    title: string;
    names: string[];
    series: { label: string; values: (number | null)[] }[];
  }[];
  expect(plots.find(({ title }) => title === "paid")).toMatchObject({
    names: ["0 s", "", ""],
    series: [
      { label: "first: paid", values: [0, 1, null] },
      { label: "second: paid", values: [0, 2, 4] },
    ],
  });
});

test("options: what does not exist or makes no sense is an error that names it", () => {
  expect(readOptions(["--help"])).toBeNull();
  expect(readOptions([])).toMatchObject({ targets: ["serve"], rounds: 3, scale: 1, connections: [1, 10, 50, 200] });
  for (const [args, message] of [
    [["--rounds", "0"], /rounds/],
    [["--scale", "-1"], /scale/],
    [["--connections", "1,x"], /connections/],
    [["--scenario", "nonsense"], /nonsense/],
    [["--wrong"], /--wrong/],
  ] as const) {
    expect(() => readOptions(args)).toThrow(message);
  }
});
