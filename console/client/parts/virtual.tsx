/** A list of any length: only the rows that are seen exist, and only their pages are fetched. */
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

const ROW = 26;
const PAGE = 100;
const MOST_PAGES = 40;
/** Rows beyond the seen ones. */
const OVERSCAN = 8;
/** Browsers give up beyond about 33 million pixels: a longer list scrolls several rows at a time. */
const TALLEST = 30_000_000;

export interface VirtualListProps<Row> {
  readonly label: string;
  readonly head: ComponentChildren;
  readonly total: number;
  /** What has been loaded counts as long as this stays the same. */
  readonly version: string;
  readonly load: (from: number, count: number, signal: AbortSignal) => Promise<readonly Row[]>;
  readonly render: (row: Row) => ComponentChildren;
  readonly keyOf: (row: Row) => string;
  readonly selected: string | null;
  readonly onOpen: (row: Row) => void;
  readonly className: string;
  readonly empty: ComponentChildren;
}

export function VirtualList<Row>(props: VirtualListProps<Row>) {
  const { label, head, total, version, render, keyOf, selected, onOpen, className, empty } = props;
  const box = useRef<HTMLDivElement>(null);
  const [height, setHeight] = useState(600);
  const [top, setTop] = useState(0);
  const [active, setActive] = useState(0);
  const pages = usePages(props);

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight - ROW));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (box.current) box.current.scrollTop = 0;
    setActive(0);
  }, [version.split("#")[0]]);

  const visible = Math.ceil(height / ROW);
  const tall = Math.min(TALLEST, total * ROW);
  // Rows to a pixel of scrolling: 1/ROW but for the longest lists.
  const scale = tall > height ? Math.max(0, total - Math.floor(height / ROW)) / (tall - height) : 0;
  const first = Math.max(0, Math.min(Math.max(0, total - visible), Math.floor(top * scale)));
  const from = Math.max(0, first - OVERSCAN);
  const to = Math.min(total, first + visible + OVERSCAN);
  pages.want(from, to);

  const show = (row: number): void => {
    const element = box.current;
    if (element === null || scale === 0) return;
    if (row <= first) element.scrollTop = row / scale;
    else if (row >= first + visible - 2) element.scrollTop = (row - visible + 3) / scale;
  };
  const move = (wanted: number): void => {
    const row = Math.max(0, Math.min(total - 1, wanted));
    setActive(row);
    show(row);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.metaKey || event.ctrlKey || event.altKey) return;
    const steps: Record<string, number> = {
      j: 1,
      ArrowDown: 1,
      k: -1,
      ArrowUp: -1,
      PageDown: visible,
      PageUp: -visible,
    };
    const step = steps[event.key];
    if (step !== undefined) move(active + step);
    else if (event.key === "Home") move(0);
    else if (event.key === "End") move(total - 1);
    else if (event.key === "Enter") {
      const row = pages.at(active);
      if (row !== undefined) onOpen(row);
    } else return;
    event.preventDefault();
  };

  const rows = [];
  for (let index = from; index < to; index++) {
    const row = pages.at(index);
    const key = row === undefined ? "" : keyOf(row);
    rows.push(
      <div
        key={row === undefined ? `_${index}` : key}
        id={`row-${index}`}
        role="row"
        aria-rowindex={index + 2}
        aria-selected={key !== "" && key === selected}
        class={`row${index === active ? " active" : ""}${row === undefined ? " waiting" : ""}`}
        style={{ transform: `translateY(${tall === total * ROW ? index * ROW : top + (index - top * scale) * ROW}px)` }}
        onClick={() => {
          setActive(index);
          if (row !== undefined) onOpen(row);
        }}
      >
        {row === undefined ? <span role="gridcell">…</span> : render(row)}
      </div>,
    );
  }
  return (
    <div
      ref={box}
      class={`list ${className}`}
      role="grid"
      aria-label={label}
      aria-rowcount={total + 1}
      aria-activedescendant={total > 0 ? `row-${active}` : undefined}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
    >
      <div class="row header" role="row" aria-rowindex={1}>
        {head}
      </div>
      <div class="tall" role="rowgroup" style={{ height: `${tall}px` }}>
        {rows}
        {total === 0 && (
          <div class="empty" role="row">
            <span role="gridcell">{empty}</span>
          </div>
        )}
      </div>
    </div>
  );
}

interface Pages<Row> {
  readonly at: (index: number) => Row | undefined;
  /** Loads what of it is not there. */
  readonly want: (from: number, to: number) => void;
}

function usePages<Row>({ version, load, total }: VirtualListProps<Row>): Pages<Row> {
  const [, redraw] = useState(0);
  const state = useRef<{ version: string; pages: Map<number, readonly Row[]>; stale: Map<number, readonly Row[]> }>({
    version: "",
    pages: new Map(),
    stale: new Map(),
  });
  const loading = useRef(new Map<number, AbortController>());
  if (state.current.version !== version) {
    for (const controller of loading.current.values()) controller.abort();
    loading.current.clear();
    // What was there is shown until the new is: a list that is followed must not flicker.
    const sameList = state.current.version.split("#")[0] === version.split("#")[0];
    state.current = {
      version,
      pages: new Map(),
      stale: sameList
        ? new Map<number, readonly Row[]>([...state.current.stale, ...state.current.pages])
        : new Map<number, readonly Row[]>(),
    };
  }
  const { pages, stale } = state.current;
  return {
    at: (index) => {
      const page = Math.floor(index / PAGE);
      return (pages.get(page) ?? stale.get(page))?.[index % PAGE];
    },
    want: (from, to) => {
      if (total === 0) return;
      for (let page = Math.floor(from / PAGE); page * PAGE < to; page++) {
        if (pages.has(page) || loading.current.has(page)) continue;
        const controller = new AbortController();
        loading.current.set(page, controller);
        load(page * PAGE, PAGE, controller.signal).then(
          (rows) => {
            if (controller.signal.aborted) return;
            loading.current.delete(page);
            pages.set(page, rows);
            for (const [oldest] of pages) {
              if (pages.size <= MOST_PAGES) break;
              pages.delete(oldest);
            }
            redraw((count) => count + 1);
          },
          () => void setTimeout(() => loading.current.delete(page), 500),
        );
      }
    },
  };
}
