import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { painted } from '../browser/theme.ts';

export type Series = {
  readonly label: string;
  /** A custom property that holds a colour. */
  readonly colour: string;
  readonly values: readonly (number | null)[];
  readonly filled?: boolean;
  readonly dots?: boolean;
};

type Drawn = {
  /** Milliseconds since 1970. */
  readonly times: readonly number[];
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  /** The top of the scale; as high as the values go where it is not given. */
  readonly most?: number;
  /** Bars, each series upon those before it. */
  readonly stacked?: boolean;
  /** Each line of the scale is ten times the one below, for values that lie far apart. */
  readonly log?: boolean;
};

const height = 200;

/** A line for the eye; `summary` says in words what it shows. The legend tells the values under the pointer. */
export function Chart(
  props: Drawn & {
    readonly summary: string;
    /** A click on what is drawn, with the place in `times` under the pointer. */
    readonly onPick?: (at: number) => void;
  },
) {
  const { times, series, format, summary, stacked = false } = props;
  const ref = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState<number | null>(null);
  const theme = painted.value;
  const plot = useRef<uPlot | null>(null);
  const empty = series.every(({ values }) =>
    values.every((value) => value === null || (stacked && value === 0)),
  );
  // New values go into the drawing that is there: the pointer may be on it.
  const lines = series.map(({ label, colour }) => `${label} ${colour}`).join('\n');
  useEffect(() => {
    const host = ref.current;
    if (host === null || empty) return;
    const drawn = draw(host, props, setAt);
    plot.current = drawn;
    const resized = new ResizeObserver(() => drawn.setSize({ width: host.clientWidth, height }));
    resized.observe(host);
    return () => {
      resized.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [lines, empty, theme]);
  useEffect(() => plot.current?.setData(dataOf(props)), [times, series]);
  const time = at === null ? undefined : times[at];
  const textOf = (value: number | null | undefined) =>
    value === null || value === undefined ? '–' : format(value);
  return (
    <figure class="chart">
      {empty ? (
        <p class="chart-empty muted">Nothing in this time</p>
      ) : (
        // What a click leads to is reached by links, too: a drawing has no keyboard.
        // biome-ignore lint/a11y/useKeyWithClickEvents: as said
        <div
          ref={ref}
          class={props.onPick === undefined ? '' : 'picked'}
          role="img"
          aria-label={summary}
          onClick={() => at !== null && props.onPick?.(at)}
        />
      )}
      <figcaption>
        {series.map(({ label, colour, values }) => (
          <span key={label}>
            <i style={{ background: `var(${colour})` }} aria-hidden="true" />
            {label}
            {at !== null && <strong class="number">{textOf(values[at])}</strong>}
          </span>
        ))}
        {time !== undefined && <time>{moment(time / 1_000, spanOf(times))}</time>}
      </figcaption>
    </figure>
  );
}

function draw(host: HTMLElement, drawn: Drawn, point: (at: number | null) => void): uPlot {
  const { format, most: top, log = false, stacked = false } = drawn;
  const series = inDrawingOrder(drawn);
  const styles = getComputedStyle(document.documentElement);
  const colour = (name: string) => styles.getPropertyValue(name).trim();
  const font = `12px ${styles.getPropertyValue('--sans')}`;
  const axis = {
    stroke: colour('--soft'),
    font,
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  };
  // A bar stands on the middle of its step: half a step of room keeps the outer ones whole.
  const margin = ({ data: [times] }: uPlot) => (stacked ? ((times[1] ?? 0) - (times[0] ?? 0)) / 2 : 0);
  const bars = stacked ? uPlot.paths.bars?.({ size: [0.7, 24] }) : undefined;
  return new uPlot(
    {
      width: host.clientWidth,
      height,
      padding: [12, 20, 0, 0],
      legend: { show: false },
      cursor: {
        points: { show: !stacked, size: 7, fill: (_plot, i) => colour(series[i - 1]?.colour ?? '--accent') },
        drag: { x: false, y: false },
      },
      hooks: { setCursor: [({ cursor }) => point(cursor.idx ?? null)] },
      scales: {
        x: { time: true, range: (plot, from, to) => [from - margin(plot), to + margin(plot)] },
        y: log
          ? { distr: 3 }
          : { range: (_plot, _least, most) => [0, (top ?? Math.max(1, most ?? 1)) * 1.06] },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 34,
          space: 70,
          values: ({ data }, marks) => marks.map((mark) => moment(mark, spanOf(data[0]) * 1_000)),
        },
        {
          ...axis,
          grid: { ...axis.grid, filter: (_plot, marks) => (log ? marks.map(wholeDecade) : marks) },
          size: 62,
          space: 36,
          values: (_plot, marks) => marks.map((mark) => (mark === null ? '' : format(mark))),
        },
      ],
      series: [
        {},
        ...series.map((each) => ({
          label: each.label,
          stroke: colour(each.colour),
          width: stacked ? 0 : 2,
          spanGaps: true,
          // A line needs two points; one alone would not be seen.
          points: {
            show: ({ data }: uPlot, i: number) =>
              !stacked &&
              (each.dots === true || [...(data[i] ?? [])].filter((value) => value !== null).length < 3),
            size: 5,
            fill: colour('--surface'),
          },
          ...(each.filled === true && { fill: faded(colour(each.colour), '22') }),
          // Whole colours: what is drawn later covers what it stands upon.
          ...(bars !== undefined && { fill: colour(each.colour), paths: bars }),
        })),
      ],
    },
    dataOf(drawn),
    host,
  );
}

function dataOf(drawn: Drawn): uPlot.AlignedData {
  return [drawn.times.map((time) => time / 1_000), ...inDrawingOrder(drawn).map(({ values }) => [...values])];
}

/** Bars upon each other: the highest is drawn first, each lower one over its foot. */
function inDrawingOrder({ series, stacked }: Drawn): readonly Series[] {
  if (stacked !== true) return series;
  let below: readonly number[] = [];
  const heights = series.map((each) => {
    below = each.values.map((value, at) => (value ?? 0) + (below[at] ?? 0));
    return { ...each, values: below };
  });
  return heights.reverse();
}

function spanOf(times: ArrayLike<number>): number {
  return times.length === 0 ? 0 : (times[times.length - 1] ?? 0) - (times[0] ?? 0);
}

/** Of a scale of tens, only the tens have a line. */
function wholeDecade(mark: number): number | null {
  return Number.isInteger(Math.round(Math.log10(mark) * 1e6) / 1e6) ? mark : null;
}

/** As fine as the whole span is: days, minutes or seconds. */
function moment(seconds: number, spanMs: number): string {
  const at = new Date(seconds * 1000);
  if (spanMs > 2 * 86_400_000) return at.toLocaleDateString('en', { day: 'numeric', month: 'short' });
  const fine = spanMs < 300_000 ? ({ second: '2-digit' } as const) : {};
  return at.toLocaleTimeString('en', { hour: '2-digit', minute: '2-digit', ...fine, hour12: false });
}

function faded(colour: string, alpha: string): string {
  return /^#[0-9a-f]{6}$/i.test(colour) ? `${colour}${alpha}` : colour;
}
