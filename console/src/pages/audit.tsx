import { useState } from 'preact/hooks';
import type { AuditEntry } from '../../../sdk/api.ts';
import { targetOf } from '../api/client.ts';
import { usePages } from '../api/use-data.ts';
import { useMutation } from '../api/use-mutation.ts';
import { type Names, useNames } from '../api/use-names.ts';
import { download } from '../browser/download.ts';
import { ago, when } from '../browser/format.ts';
import { Button } from '../components/button.tsx';
import { Badge, ShortId, type Tone } from '../components/facts.tsx';
import { FilterForm, Select } from '../components/fields.tsx';
import { EmptyState, ErrorNotice, PageHeader } from '../components/states.tsx';
import { Paged } from '../components/table.tsx';

type Filters = { readonly developer: string; readonly user: string };

export function AuditPage() {
  const [filters, setFilters] = useState<Filters>({ developer: '', user: '' });
  const names = useNames();
  const trail = usePages(
    'GET /v1/admin/audit',
    { query: { ...filters, limit: 100 } },
    { after: 'before', read: ({ entries, metadata }) => ({ rows: entries, next: metadata.next_before }) },
  );
  const saving = useMutation(() =>
    download(targetOf('GET /v1/admin/audit', { query: { ...filters, limit: 10_000 } }), {
      type: 'application/x-ndjson',
      name: 'audit.jsonl',
    }),
  );
  return (
    <>
      <PageHeader
        title="Audit"
        lead="Who did what, newest first. Entries are written with the deed, and never changed."
      >
        <Button busy={saving.busy} onClick={saving.run}>
          Download as JSON Lines
        </Button>
        {saving.error !== null && <ErrorNotice error={saving.error} />}
      </PageHeader>
      <FilterForm labels={{ user: 'User' }} onApply={({ user }) => setFilters({ ...filters, user })}>
        <Select
          label="Developer"
          value={filters.developer}
          options={[['', 'All'], ...names.developers]}
          onChange={(developer) => setFilters({ ...filters, developer })}
        />
      </FilterForm>
      <Paged
        of={trail}
        more="Show older"
        empty={
          <EmptyState icon="audit" title="Nothing was done like that">
            The filter matches whole user ids.
          </EmptyState>
        }
      >
        {(entries) => <Days entries={entries} names={names} />}
      </Paged>
    </>
  );
}

function Days({ entries, names }: { readonly entries: readonly AuditEntry[]; readonly names: Names }) {
  const days = Map.groupBy(entries, ({ at }) => new Date(at).toLocaleDateString('en', { dateStyle: 'full' }));
  return (
    <>
      {[...days].map(([day, those]) => (
        <section key={day} class="day">
          <h2>{day}</h2>
          <ul class="trail">
            {those.map((entry) => (
              <Entry key={entry.id} entry={entry} names={names} />
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

function Entry({ entry, names }: { readonly entry: AuditEntry; readonly names: Names }) {
  const { at, actor, action, subject, user_id, facts, developer_id } = entry;
  const entries = Object.entries(facts);
  const by = actor.replace(/^key:/, '');
  return (
    <li>
      <time dateTime={at} title={`${when(at)} (${ago(at)})`}>
        {new Date(at).toLocaleTimeString('en', {
          hour: '2-digit',
          minute: '2-digit',
          second: '2-digit',
          hour12: false,
        })}
      </time>
      <div>
        <p>
          <Badge tone={toneOf(action)}>{action}</Badge>
          {subject !== null && <code>{subject}</code>}
          {user_id !== null && <span>for {user_id}</span>}
        </p>
        <p class="muted small-text">
          by {by === actor ? by : <ShortId id={by} name={names.of(by)} />} ·{' '}
          <ShortId id={developer_id} name={names.of(developer_id)} />
          {entries.map(([name, value]) => ` · ${name.replaceAll('_', ' ')}: ${factText(value)}`)}
        </p>
      </div>
    </li>
  );
}

function factText(value: unknown): string {
  if (typeof value === 'number' && value > 1e12) return when(new Date(value).toISOString());
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** By the verb of `subject.verb`. */
function toneOf(action: string): Tone {
  const verb = action.slice(action.lastIndexOf('.') + 1);
  if (/^(revoke|remove|delete|disconnect|forget|reuse|replay|expire)/.test(verb)) return 'bad';
  return /^(create|put|add|set|connect|issue)/.test(verb) ? 'good' : 'plain';
}
