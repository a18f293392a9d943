import { useMemo, useState } from 'preact/hooks';
import type { Activity } from '../../../sdk/api.ts';
import { DayMap } from '../activity/day-map.tsx';
import { RequestCharts } from '../activity/request-charts.tsx';
import { useLiveActivity } from '../api/use-live-activity.ts';
import { count, ms, percent } from '../browser/format.ts';
import { callsPath, serverPath } from '../browser/router.ts';
import { Chart } from '../components/chart.tsx';
import { Bar, Stat, Time } from '../components/facts.tsx';
import { Segments } from '../components/fields.tsx';
import { EmptyState, Loadable, PageHeader } from '../components/states.tsx';
import { type Column, DataTable } from '../components/table.tsx';

export function ActivityPage() {
  const [window, setWindow] = useState<'1h' | '6h' | '24h'>('1h');
  const activity = useLiveActivity(window);
  return (
    <>
      <PageHeader
        title="Activity"
        lead={
          activity.isLive ? (
            <>
              <span class="live" aria-hidden="true" /> Live, told anew every five seconds.
            </>
          ) : (
            'What was asked, and what came of it.'
          )
        }
      >
        <Segments
          label="Window"
          value={window}
          options={[
            ['1h', 'Hour'],
            ['6h', '6 hours'],
            ['24h', 'Day'],
          ]}
          onChange={setWindow}
        />
      </PageHeader>
      <Loadable of={activity} rows={6}>
        {(data) => <Live data={data} />}
      </Loadable>
    </>
  );
}

function Live({ data }: { readonly data: Activity }) {
  const { total, searches, kinds } = data;
  const failed = total.client_errors + total.server_errors + total.upstream_errors;
  const asked = kinds.filter(({ requests }) => requests > 0);
  return (
    <div class="stack">
      <dl class="stats">
        <Stat
          label="Requests"
          value={count(total.requests)}
          note={asked.map(({ kind, requests }) => `${kind} ${count(requests)}`).join(' · ') || 'none yet'}
        />
        <Stat
          label="Failed"
          value={total.requests === 0 ? '–' : percent(failed / total.requests, failed === 0 ? 0 : 1)}
          note={`${count(total.client_errors)} callers’ · ${count(total.upstream_errors)} servers’ · ${count(total.server_errors)} ours`}
        />
        <Stat
          label="Median"
          value={ms(total.p50_ms)}
          note={`p95 ${ms(total.p95_ms)} · p99 ${ms(total.p99_ms)}`}
        />
        <Stat
          label="Searches"
          value={count(searches.count)}
          note={
            searches.count === 0 ? 'none yet' : `${percent(searches.cached / searches.count)} from the cache`
          }
        />
      </dl>
      <div class="charts">
        <RequestCharts steps={data.steps} total={data.total} />
      </div>
      <section aria-labelledby="day">
        <h2 id="day">Calls of the last day</h2>
        <DayMap day={data.day} />
        <Outcomes outcomes={data.outcomes} />
      </section>
      <ServersCalled data={data} />
      <Queries data={data} />
      <p class="muted small-text">
        Requests and latencies are those of the process that answered, kept in its memory for a day;
        percentiles are right within a sixth. Calls and searches are of all processes.
      </p>
    </div>
  );
}

function ServersCalled({ data: { servers, success } }: { readonly data: Activity }) {
  if (servers.length === 0)
    return (
      <section aria-labelledby="servers">
        <h2 id="servers">Servers called</h2>
        <EmptyState icon="catalogue" title="No calls were recorded">
          Calls through the proxy and outcomes reported to POST /v1/invocations show here.
        </EmptyState>
      </section>
    );
  return (
    <>
      <section aria-labelledby="success">
        <h2 id="success">Success of the servers called most</h2>
        <SuccessChart success={success} />
      </section>
      <section aria-labelledby="servers">
        <h2 id="servers">Servers called</h2>
        <DataTable
          label="Calls by server"
          rows={servers}
          keyOf={({ server_id }) => server_id}
          columns={columns}
        />
      </section>
    </>
  );
}

function Queries({ data }: { readonly data: Activity }) {
  return (
    <div class="charts">
      <section aria-labelledby="nothing">
        <h2 id="nothing">Searched, and found nothing</h2>
        {data.found_nothing.length === 0 ? (
          <p class="muted">
            {data.searches.count === 0 ? 'Nothing was searched.' : 'Every search found something.'}
          </p>
        ) : (
          <ul class="queries">
            {data.found_nothing.map(({ query, times, last_at }) => (
              <li key={query}>
                <a href={`/?q=${encodeURIComponent(query)}`}>{query}</a>
                <span class="muted">
                  {times > 1 && `${times} × · `}
                  <Time at={last_at} />
                </span>
              </li>
            ))}
          </ul>
        )}
      </section>
      <section aria-labelledby="recent">
        <h2 id="recent">Latest searches</h2>
        {data.recent.length === 0 ? (
          <p class="muted">Nothing was searched.</p>
        ) : (
          <ul class="queries">
            {data.recent.slice(0, 12).map(({ query, shown, at }) => (
              <li key={`${at} ${query}`}>
                <a href={`/?q=${encodeURIComponent(query)}`}>{query}</a>
                <span class="muted">
                  {count(shown, 'server')} · <Time at={at} />
                </span>
              </li>
            ))}
          </ul>
        )}
      </section>
    </div>
  );
}

/** How tool calls of the window ended; each leads to those. */
function Outcomes({ outcomes }: Pick<Activity, 'outcomes'>) {
  if (outcomes.length === 0) return null;
  return (
    <ul class="outcomes" aria-label="How calls of this window ended">
      {outcomes.map(({ outcome, fault, calls }) => (
        <li key={outcome}>
          <a href={callsPath({ outcome })}>
            {outcome.replaceAll('_', ' ')} {count(calls)}
          </a>{' '}
          {fault !== null && (
            <span class="muted">{fault === 'caller' ? 'the caller’s' : 'the server’s'}</span>
          )}
        </li>
      ))}
    </ul>
  );
}

const lineColours = ['--accent', '--second', '--third', '--fourth', '--fifth'];

/** One line a server: the share of its calls that went well, where there were any. */
function SuccessChart({ success }: { readonly success: Activity['success'] }) {
  const drawn = useMemo(
    () => ({
      times: success[0]?.steps.map(({ at }) => Date.parse(at)) ?? [],
      series: success.map(({ server_id, steps }, i) => ({
        label: server_id,
        colour: lineColours[i] ?? '--soft',
        values: steps.map(shareOf),
        dots: true,
      })),
    }),
    [success],
  );
  return (
    <Chart
      summary={`Success over time of ${success.map(({ server_id }) => server_id).join(', ')}; the table has the numbers`}
      times={drawn.times}
      series={drawn.series}
      format={(share) => percent(share)}
      most={1}
    />
  );
}

/** Of the calls that say something of the server; null: there were none. */
function shareOf(use: Pick<Activity['servers'][number], 'calls' | 'successes' | 'caller_faults'>) {
  const judged = use.calls - use.caller_faults;
  return judged === 0 ? null : use.successes / judged;
}

const columns: Column<Activity['servers'][number]>[] = [
  { head: 'Server', cell: ({ server_id }) => <a href={serverPath(server_id)}>{server_id}</a> },
  { head: 'Calls', kind: 'number', cell: ({ calls }) => count(calls) },
  {
    head: 'Success',
    cell: (use) => {
      const share = shareOf(use);
      return share === null ? (
        <span class="muted">wrong calls only</span>
      ) : (
        <span class="share">
          <Bar share={share} tone={share > 0.9 ? 'good' : share > 0.5 ? 'warn' : 'bad'} />
          <span class="number">{percent(share)}</span>
        </span>
      );
    },
  },
  { head: 'Mean latency', kind: 'number', cell: ({ latency_ms }) => ms(latency_ms) },
];
