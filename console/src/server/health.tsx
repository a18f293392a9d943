import type { Past } from '../api/types.ts';
import { useData } from '../api/use.ts';
import { Badge, Stat, State, Time, type Tone } from '../parts/bits.tsx';
import { Chart } from '../parts/chart.tsx';
import { count, ms, percent, pretty } from '../parts/format.ts';
import { Icon } from '../parts/icons.tsx';
import { Empty, Shown } from '../parts/states.tsx';

export function HealthTab({ path, remote }: { readonly path: string; readonly remote: boolean }) {
  const past = useData<Past>(path);
  return (
    <Shown of={past} rows={4}>
      {(data) =>
        data.health === null ? (
          <Empty icon="activity" title="It was not looked at yet">
            {remote
              ? 'Servers are looked at in turn, about every hour. An admin can look right away with “Look now”.'
              : 'It runs as a program beside the service, so there is nothing to look at from here.'}
          </Empty>
        ) : (
          <Looks past={data} />
        )
      }
    </Shown>
  );
}

function Looks({ past }: { readonly past: Past }) {
  const { health, looks, drift } = past;
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
          <p class="soft">
            {looks.length > 1
              ? 'Too few looks were answered for a line.'
              : 'A line appears after the second look.'}
          </p>
        )}
        <Strip looks={ordered} />
      </section>
      <section aria-labelledby="drift">
        <h2 id="drift">What changed about its tools</h2>
        {drift.length === 0 ? <p class="soft">Nothing since the first look.</p> : <DriftList drift={drift} />}
      </section>
    </div>
  );
}

/** One mark a look, oldest first. */
function Strip({ looks }: { readonly looks: Past['looks'] }) {
  const alive = looks.filter(({ state }) => state === 'up' || state === 'auth').length;
  return (
    <>
      <div class="strip" aria-hidden="true">
        {looks.map(({ at, state }) => (
          <i key={at} class={state} title={`${state} · ${new Date(at).toLocaleString('en')}`} />
        ))}
      </div>
      <p class="soft small-text after">
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

function DriftList({ drift }: { readonly drift: Past['drift'] }) {
  return (
    <ul class="timeline">
      {drift.map(({ id, at, kind, tool, before, after }) => {
        const [tone, words] = kinds[kind] ?? (['plain', kind] as const);
        return (
          <li key={id}>
            <span class="soft">
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
