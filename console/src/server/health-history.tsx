import type { ServerHistory } from '../../../sdk/api.ts';
import { useData } from '../api/use-data.ts';
import { count, ms, percent, pretty } from '../browser/format.ts';
import { Chart } from '../components/chart.tsx';
import { Badge, Stat, State, Time, type Tone } from '../components/facts.tsx';
import { Icon } from '../components/icons.tsx';
import { EmptyState, Loadable } from '../components/states.tsx';

export function HealthHistory({ id, remote }: { readonly id: string; readonly remote: boolean }) {
  const history = useData('GET /v1/servers/{id}/health', { params: { id } });
  return (
    <Loadable of={history} rows={4}>
      {(data) =>
        data.health === null ? (
          <EmptyState icon="activity" title="It was not looked at yet">
            {remote
              ? 'Servers are looked at in turn, about every hour. An admin can look right away with “Probe now”.'
              : 'It runs as a program beside the service, so there is nothing to look at from here.'}
          </EmptyState>
        ) : (
          <Probes history={data} />
        )
      }
    </Loadable>
  );
}

function Probes({ history }: { readonly history: ServerHistory }) {
  const { health, looks, drift } = history;
  if (health === null) return null;
  const ordered = [...looks].reverse();
  const timed = ordered.filter(({ latency_ms }) => latency_ms !== null);
  return (
    <div class="stack">
      <dl class="stats">
        <div class="stat">
          <dt>State</dt>
          <dd>
            <State state={health.state} />
            <span>
              since <Time at={health.since} />
            </span>
          </dd>
        </div>
        <Stat
          label="Uptime"
          value={percent(health.uptime, Number.isInteger(health.uptime) ? 0 : 1)}
          note={`of ${count(health.checks, 'look')}`}
        />
        <Stat label="Latency" value={ms(health.latency_ms)} note="at the last look" />
        <div class="stat">
          <dt>Last look</dt>
          <dd>
            <strong>
              <Time at={health.checked_at} />
            </strong>
          </dd>
        </div>
      </dl>
      {health.reason !== null && (
        <div class="notice warn">
          <Icon name="warn" />
          <p>{health.reason}</p>
        </div>
      )}
      <section aria-labelledby="looks">
        <h2 id="looks">Latency</h2>
        {timed.length > 1 ? (
          <Chart
            summary={`Latency of the last ${count(timed.length, 'look')}, the latest ${ms(timed.at(-1)?.latency_ms)}`}
            times={ordered.map(({ at }) => Date.parse(at))}
            series={[
              {
                label: 'Latency',
                colour: '--accent',
                values: ordered.map(({ latency_ms }) => latency_ms),
                filled: true,
                dots: true,
              },
            ]}
            format={ms}
          />
        ) : (
          <p class="muted">
            {looks.length > 1
              ? 'Too few looks were answered for a line.'
              : 'A line appears after the second look.'}
          </p>
        )}
        <Strip looks={ordered} />
      </section>
      <section aria-labelledby="drift">
        <h2 id="drift">What changed about its tools</h2>
        {drift.length === 0 ? (
          <p class="muted">Nothing since the first look.</p>
        ) : (
          <DriftList drift={drift} />
        )}
      </section>
    </div>
  );
}

/** One mark a probe, oldest first. */
function Strip({ looks }: { readonly looks: ServerHistory['looks'] }) {
  const alive = looks.filter(({ state }) => state === 'up' || state === 'auth').length;
  return (
    <>
      <div class="strip" aria-hidden="true">
        {looks.map(({ at, state }) => (
          <i key={at} class={state} title={`${state} · ${new Date(at).toLocaleString('en')}`} />
        ))}
      </div>
      <p class="muted small-text after">
        Alive in {alive} of the last {count(looks.length, 'look')}, the oldest on the left.
      </p>
    </>
  );
}

const kinds: Readonly<Record<string, readonly [Tone, string]>> = {
  appeared: ['good', 'appeared'],
  vanished: ['bad', 'vanished'],
  description: ['plain', 'description changed'],
  schema: ['warn', 'parameters changed'],
  destructive: ['bad', 'is destructive now'],
};

function DriftList({ drift }: { readonly drift: ServerHistory['drift'] }) {
  return (
    <ul class="timeline">
      {drift.map(({ id, at, kind, tool, before, after }) => {
        const [tone, words] = kinds[kind] ?? (['plain', kind] as const);
        return (
          <li key={id}>
            <span class="muted">
              <Time at={at} />
            </span>
            <div>
              <p>
                <code>{tool}</code> <Badge tone={tone}>{words}</Badge>
              </p>
              {before !== null && after !== null && (
                <details>
                  <summary>Before and after</summary>
                  <pre class="wrap removed">{pretty(before)}</pre>
                  <pre class="wrap added">{pretty(after)}</pre>
                </details>
              )}
            </div>
          </li>
        );
      })}
    </ul>
  );
}
