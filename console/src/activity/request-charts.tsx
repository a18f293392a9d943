import { useMemo } from 'preact/hooks';
import type { Activity, RequestCountsAt } from '../../../sdk/api.ts';
import { count, ms, when } from '../browser/format.ts';
import { callsPath, navigate } from '../browser/router.ts';
import { Chart } from '../components/chart.tsx';
import { type Column, DataTable } from '../components/table.tsx';

type Drawn = Pick<Activity, 'steps' | 'total'>;
type Step = RequestCountsAt & { /** Where its calls are. */ readonly calls: string };

/** How requests ended, from the foot of a bar upwards. */
const ends = [
  { label: 'Went well', colour: '--accent', of: wentWell },
  { label: 'Failed by callers', colour: '--warn', of: (step: RequestCountsAt) => step.client_errors },
  { label: 'by servers', colour: '--second', of: (step: RequestCountsAt) => step.upstream_errors },
  { label: 'by us', colour: '--bad', of: (step: RequestCountsAt) => step.server_errors },
] as const;

/** Requests and their latencies over time; a point of either leads to the calls of its step. */
export function RequestCharts({ steps, total }: Drawn) {
  const drawn = useMemo(() => {
    const times = steps.map(({ at }) => Date.parse(at));
    const stepMs = (times[1] ?? 0) - (times[0] ?? 0);
    return {
      times,
      steps: steps.map((step, i): Step => {
        const to = new Date((times[i] ?? 0) + stepMs).toISOString();
        return { ...step, calls: callsPath({ from: step.at, to }) };
      }),
      requests: ends.map(({ of, ...each }) => ({ ...each, values: steps.map(of) })),
      latency: [
        { label: 'p50', colour: '--accent', values: steps.map(({ p50_ms }) => p50_ms), filled: true },
        { label: 'p95', colour: '--second', values: steps.map(({ p95_ms }) => p95_ms) },
        { label: 'p99', colour: '--warn', values: steps.map(({ p99_ms }) => p99_ms) },
      ],
    };
  }, [steps]);
  const pick = (at: number) => {
    const step = drawn.steps[at];
    if (step !== undefined) navigate(step.calls);
  };
  return (
    <>
      <section aria-labelledby="requests">
        <h2 id="requests">Requests</h2>
        <Chart
          summary={`${count(total.requests, 'request')} in this window, ${count(total.client_errors)} of them by their callers, ${count(total.upstream_errors)} by servers, ${count(total.server_errors)} by us`}
          times={drawn.times}
          onPick={pick}
          series={drawn.requests}
          format={(value) => (Number.isInteger(value) ? count(value) : '')}
          stacked
        />
      </section>
      <section aria-labelledby="latency">
        <h2 id="latency">Latency</h2>
        <Chart
          onPick={pick}
          summary={`Latency: half under ${ms(total.p50_ms)}, 95 of 100 under ${ms(total.p95_ms)}, 99 of 100 under ${ms(total.p99_ms)}`}
          times={drawn.times}
          series={drawn.latency}
          format={ms}
          log
        />
      </section>
      <StepTable steps={drawn.steps} />
    </>
  );
}

/** What both draw, for whoever does not see it or has no pointer. */
function StepTable({ steps }: { readonly steps: readonly Step[] }) {
  const asked = steps.filter(({ requests }) => requests > 0).reverse();
  if (asked.length === 0) return null;
  return (
    <details class="across">
      <summary>Both as a table</summary>
      <div class="after">
        <DataTable label="Requests by time" columns={columns} rows={asked} keyOf={({ at }) => at} />
      </div>
    </details>
  );
}

const columns: Column<Step>[] = [
  { head: 'From', cell: ({ at, calls }) => <a href={calls}>{when(at)}</a> },
  ...ends.map(({ label, of }) => ({
    head: label.replace(/^by/, 'Failed by'),
    kind: 'number' as const,
    cell: (step: Step) => count(of(step)),
  })),
  { head: 'p50', kind: 'number', cell: ({ p50_ms }) => ms(p50_ms) },
  { head: 'p95', kind: 'number', cell: ({ p95_ms }) => ms(p95_ms) },
  { head: 'p99', kind: 'number', cell: ({ p99_ms }) => ms(p99_ms) },
];

function wentWell(step: RequestCountsAt): number {
  return step.requests - step.client_errors - step.upstream_errors - step.server_errors;
}
