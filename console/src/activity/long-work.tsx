import type { LongWork } from '../../../sdk/api.ts';
import { useData } from '../api/use-data.ts';
import { count, duration } from '../browser/format.ts';
import { Badge, Time, type Tone } from '../components/facts.tsx';
import { Loadable } from '../components/states.tsx';

const refreshMs = 3_000;
const states: Readonly<Record<LongWork['state'], readonly [Tone, string]>> = {
  running: ['accent', 'running'],
  done: ['good', 'done'],
  failed: ['bad', 'failed'],
  broken_off: ['warn', 'broken off'],
};

/** How far a sync, an import, an embedding or a rotation is, in whichever process. */
export function LongWorkList() {
  const found = useData('GET /v1/admin/work', {}, refreshMs);
  return (
    <Loadable of={found} rows={2}>
      {({ work }) =>
        work.length === 0 ? (
          <p class="muted">Nothing that takes its time was done here yet.</p>
        ) : (
          <ul class="work" aria-live="polite">
            {work.map((each) => (
              <WorkItem key={each.name} work={each} />
            ))}
          </ul>
        )
      }
    </Loadable>
  );
}

function WorkItem({ work }: { readonly work: LongWork }) {
  const { name, state, done, total, unit, reason, started_at: began, seconds_left: left } = work;
  const [tone, words] = states[state];
  return (
    <li>
      <strong>{name}</strong> <Badge tone={tone}>{words}</Badge>
      {state === 'running' &&
        (total === null ? (
          <progress aria-label={name} />
        ) : (
          <progress aria-label={name} value={done} max={total} />
        ))}
      <span class="muted">
        {count(done)}
        {total === null ? '' : ` of ${count(total)}`} {unit} · begun <Time at={began} />
        {left !== null && ` · ${duration(left)} left`}
        {state === 'failed' && ` · ${reason ?? 'the log says why'}`}
      </span>
    </li>
  );
}
