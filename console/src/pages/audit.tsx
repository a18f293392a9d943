import { useEffect, useState } from 'preact/hooks';
import { get, query } from '../api/client.ts';
import type { AuditEntry } from '../api/types.ts';
import { Badge, Button, TextFilter, type Tone } from '../parts/bits.tsx';
import { ago, when } from '../parts/format.ts';
import { Empty, Failed, PageHead, Skeleton } from '../parts/states.tsx';

type Page = { readonly entries: readonly AuditEntry[]; readonly metadata: { readonly next_before?: string } };

export function AuditPage() {
  const [filters, setFilters] = useState({ developer: '', user: '' });
  const [applied, setApplied] = useState(filters);
  const trail = useTrail(applied);
  return (
    <>
      <PageHead
        title="Audit"
        lead="Who did what, newest first. Entries are written with the deed, and never changed."
      >
        <Button onClick={() => void download(applied)}>Download as JSON Lines</Button>
      </PageHead>
      <search>
        <form
          class="filters"
          onSubmit={(event) => {
            event.preventDefault();
            setApplied(filters);
          }}
        >
          <TextFilter
            label="Developer id"
            value={filters.developer}
            onInput={(developer) => setFilters({ ...filters, developer })}
          />
          <TextFilter
            label="User"
            value={filters.user}
            onInput={(user) => setFilters({ ...filters, user })}
          />
          <Button type="submit">Filter</Button>
        </form>
      </search>
      {trail.error !== null && <Failed error={trail.error} retry={trail.more} />}
      {trail.entries === null && trail.error === null && <Skeleton rows={8} />}
      {trail.entries?.length === 0 && (
        <Empty icon="audit" title="Nothing was done like that">
          The filters match whole ids.
        </Empty>
      )}
      {trail.entries !== null && trail.entries.length > 0 && <Days entries={trail.entries} />}
      {trail.next !== undefined && (
        <p class="more">
          <Button busy={trail.busy} onClick={trail.more}>
            Show older
          </Button>
        </p>
      )}
    </>
  );
}

function useTrail(filters: { readonly developer: string; readonly user: string }) {
  const [state, setState] = useState<{
    entries: readonly AuditEntry[] | null;
    next: string | undefined;
    error: Error | null;
    busy: boolean;
  }>({ entries: null, next: undefined, error: null, busy: true });
  const read = (before: string | undefined, gone?: AbortSignal) => {
    setState((old) => ({ ...old, busy: true, error: null }));
    get<Page>(`/v1/admin/audit${query({ ...filters, before, limit: 100 })}`, gone).then(
      ({ entries, metadata }) =>
        setState((old) => ({
          entries: before === undefined ? entries : [...(old.entries ?? []), ...entries],
          next: metadata.next_before,
          error: null,
          busy: false,
        })),
      (error: Error) => {
        if (gone?.aborted !== true) setState((old) => ({ ...old, error, busy: false }));
      },
    );
  };
  useEffect(() => {
    const gone = new AbortController();
    read(undefined, gone.signal);
    return () => gone.abort();
  }, [filters]);
  return { ...state, more: () => read(state.next) };
}

function Days({ entries }: { readonly entries: readonly AuditEntry[] }) {
  const days = Map.groupBy(entries, ({ at }) => new Date(at).toLocaleDateString('en', { dateStyle: 'full' }));
  return (
    <>
      {[...days].map(([day, those]) => (
        <section key={day} class="day">
          <h2>{day}</h2>
          <ul class="trail">
            {those.map((entry) => (
              <Entry key={entry.id} entry={entry} />
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

function Entry({ entry }: { readonly entry: AuditEntry }) {
  const { at, actor, action, subject, user_id, facts, developer_id } = entry;
  const told = Object.entries(facts);
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
        <p class="soft small-text">
          by <Id text={actor.replace(/^key:/, '')} /> · <Id text={developer_id} />
          {told.map(([name, value]) => ` · ${name.replaceAll('_', ' ')}: ${said(value)}`)}
        </p>
      </div>
    </li>
  );
}

/** Long ids begin differently enough to tell them apart; the whole one is a pointer away. */
function Id({ text }: { readonly text: string }) {
  return <span title={text}>{text.length > 24 ? `${text.slice(0, 14)}…` : text}</span>;
}

function said(value: unknown): string {
  if (typeof value === 'number' && value > 1e12) return when(new Date(value).toISOString());
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function toneOf(action: string): Tone {
  if (/revoke|remove|delete|disconnect|forget|reuse|replay/.test(action)) return 'bad';
  if (/create|put|grant|connect|issue/.test(action)) return 'good';
  return 'plain';
}

async function download(filters: { readonly developer: string; readonly user: string }): Promise<void> {
  const reply = await fetch(`/v1/admin/audit${query({ ...filters, limit: 10_000 })}`, {
    headers: { accept: 'application/x-ndjson' },
  });
  if (!reply.ok) return;
  const link = document.createElement('a');
  link.href = URL.createObjectURL(await reply.blob());
  link.download = 'audit.jsonl';
  link.dataset.plain = '';
  link.click();
  URL.revokeObjectURL(link.href);
}
