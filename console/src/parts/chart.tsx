import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { painted } from '../shell/theme.ts';

export type Series = {
  readonly label: string;
  /** A custom property that holds a colour. */
  readonly colour: string;
  readonly values: readonly (number | null)[];
  readonly filled?: boolean;
  readonly bars?: boolean;
  readonly dots?: boolean;
};

const height = 200;

/** A line for the eye; `summary` says in words what it shows. */
export function Chart(props: {
  readonly summary: string;
  /** Milliseconds since 1970. */
  readonly times: readonly number[];
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
}) {
  const ref = useRef<HTMLDivElement>(null);
  const theme = painted.value;
  const told = props.series.filter(
    ({ values }, i) => i === 0 || values.some((value) => value !== null && value > 0),
  );
  useEffect(() => {
    const host = ref.current;
    if (host === null) return;
    const plot = draw(host, { ...props, series: told });
    const resized = new ResizeObserver(() => plot.setSize({ width: host.clientWidth, height }));
    resized.observe(host);
    return () => {
      resized.disconnect();
      plot.destroy();
    };
  }, [props.times, props.series, theme]);
  return (
    <figure class="chart">
      <div ref={ref} role="img" aria-label={props.summary} />
      <figcaption>
        {told.map(({ label, colour }) => (
          <span key={label}>
            <i style={{ background: `var(${colour})` }} aria-hidden="true" />
            {label}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

function draw(
  host: HTMLElement,
  { times, series, format }: Pick<Parameters<typeof Chart>[0], 'times' | 'series' | 'format'>,
): uPlot {
  const styles = getComputedStyle(document.documentElement);
  const colour = (name: string) => styles.getPropertyValue(name).trim();
  const font = `12px ${styles.getPropertyValue('--sans')}`;
  const axis = {
    stroke: colour('--soft'),
    font,
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  };
  const bars = uPlot.paths.bars?.({ size: [0.7, 24], radius: 0.2 });
  return new uPlot(
    {
      width: host.clientWidth,
      height,
      padding: [12, 8, 0, 0],
      legend: { show: false },
      cursor: { points: { size: 7 }, drag: { x: false, y: false } },
      scales: { y: { range: (_plot, _least, most) => [0, Math.max(1, (most ?? 1) * 1.1)] } },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 34,
          space: 70,
          values: (_plot, marks) => marks.map((at) => moment(at, times)),
        },
        { ...axis, size: 62, space: 36, values: (_plot, marks) => marks.map(format) },
      ],
      series: [
        {},
        ...series.map((each) => ({
          label: each.label,
          stroke: colour(each.colour),
          width: each.bars ? 0 : 2,
          spanGaps: true,
          // A line needs two points; one alone would not be seen.
          points: {
            show: each.dots === true || each.values.filter((value) => value !== null).length < 3,
            size: 5,
          },
          ...(each.filled || each.bars ? { fill: faded(colour(each.colour), each.bars ? 'cc' : '22') } : {}),
          ...(each.bars && bars !== undefined ? { paths: bars } : {}),
        })),
      ],
    },
    [times.map((at) => at / 1000), ...series.map(({ values }) => [...values])],
    host,
  );
}

/** As fine as the whole span is: days, minutes or seconds. */
function moment(seconds: number, times: readonly number[]): string {
  const spanMs = (times.at(-1) ?? 0) - (times[0] ?? 0);
  const at = new Date(seconds * 1000);
  if (spanMs > 2 * 86_400_000) return at.toLocaleDateString('en', { day: 'numeric', month: 'short' });
  const fine = spanMs < 300_000 ? ({ second: '2-digit' } as const) : {};
  return at.toLocaleTimeString('en', { hour: '2-digit', minute: '2-digit', ...fine, hour12: false });
}

function faded(colour: string, alpha: string): string {
  return /^#[0-9a-f]{6}$/i.test(colour) ? `${colour}${alpha}` : colour;
}
