import { useState } from 'preact/hooks';
import type { CallRecord } from '../../../sdk/api.ts';
import { queryText, targetOf } from '../api/client.ts';
import { usePages } from '../api/use-data.ts';
import { useMutation } from '../api/use-mutation.ts';
import { type Names, useNames } from '../api/use-names.ts';
import { download } from '../browser/download.ts';
import { bytes, ms, when } from '../browser/format.ts';
import { navigate, params, serverPath, toolsetPath } from '../browser/router.ts';
import { Button } from '../components/button.tsx';
import { Dialog } from '../components/dialog.tsx';
import { Badge, ShortId, Time, type Tone } from '../components/facts.tsx';
import { FilterForm, Select } from '../components/fields.tsx';
import { EmptyState, ErrorNotice, PageHeader } from '../components/states.tsx';
import { type Column, DataTable, Paged } from '../components/table.tsx';

const labels = { user_id: 'User', server_id: 'Server', tool: 'Tool', from: 'From', to: 'Before' } as const;
const names = ['developer', 'user_id', 'server_id', 'tool', 'outcome', 'from', 'to'] as const;
type Filters = Readonly<Record<(typeof names)[number], string>>;

export function CallsPage() {
  // In the address, so that they can be passed on: Activity leads here with a server and a time.
  const filters = Object.fromEntries(names.map((name) => [name, params.value.get(name) ?? ''])) as Filters;
  const change = (changed: Partial<Filters>) =>
    navigate(`/activity/calls${queryText({ ...filters, ...changed })}`, { stay: true, replace: true });
  const [shown, setShown] = useState<CallRecord | null>(null);
  const named = useNames();
  const calls = usePages(
    'GET /v1/admin/calls',
    { query: { ...filters, limit: 100 } },
    { after: 'cursor', read: ({ calls, next_cursor }) => ({ rows: calls, next: next_cursor }) },
  );
  const saving = useMutation(() =>
    download(targetOf('GET /v1/admin/calls', { query: { ...filters, limit: 10_000 } }), {
      type: 'application/jsonl',
      name: 'calls.jsonl',
    }),
  );
  return (
    <>
      <PageHeader
        title="Calls"
        lead="Every call of a tool, newest first: who made it, for whom, and how it ended. Arguments and results are not kept."
      >
        <Button busy={saving.busy} onClick={saving.run}>
          Download as JSON Lines
        </Button>
        {saving.error !== null && <ErrorNotice error={saving.error} />}
      </PageHeader>
      <FilterForm
        labels={labels}
        times={['from', 'to']}
        initial={{ ...filters, from: inLocal(filters.from), to: inLocal(filters.to) }}
        onApply={({ from, to, ...texts }) => change({ ...texts, from: inUtc(from), to: inUtc(to) })}
      >
        <Select
          label="Developer"
          value={filters.developer}
          options={[['', 'All'], ...named.developers]}
          onChange={(developer) => change({ developer })}
        />
        <Select
          label="Outcome"
          value={filters.outcome}
          options={outcomeOptions}
          onChange={(outcome) => change({ outcome })}
        />
      </FilterForm>
      <Paged
        of={calls}
        more="Show older"
        empty={
          <EmptyState icon="calls" title="No tool was called like that">
            The filters match whole ids and names. <a href="/docs/rights">What is recorded</a>
          </EmptyState>
        }
      >
        {(rows) => (
          <DataTable label="Calls" columns={columns(named, setShown)} rows={rows} keyOf={({ id }) => id} />
        )}
      </Paged>
      {shown !== null && <CallDialog of={shown} names={named} onClose={() => setShown(null)} />}
    </>
  );
}

/** What is typed is this browser's time. */
function inUtc(local: string): string {
  return local === '' ? '' : new Date(local).toISOString();
}

/** As a field of a day and a time has it. */
function inLocal(utc: string): string {
  const at = new Date(utc);
  if (Number.isNaN(at.getTime())) return '';
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

const tones: Readonly<Record<CallRecord['outcome'], Tone>> = {
  ok: 'good',
  denied: 'bad',
  waiting: 'warn',
  refused: 'bad',
  auth: 'warn',
  rate_limit: 'warn',
  timeout: 'bad',
  invalid_arguments: 'warn',
  server: 'bad',
  other: 'bad',
  cancelled: 'plain',
};
const outcomeOptions = [
  ['', 'All'] as const,
  ...Object.keys(tones).map((outcome) => [outcome, outcome.replaceAll('_', ' ')] as const),
];

function Outcome({ outcome }: Pick<CallRecord, 'outcome'>) {
  return <Badge tone={tones[outcome]}>{outcome.replaceAll('_', ' ')}</Badge>;
}

function columns(names: Names, show: (call: CallRecord) => void): Column<CallRecord>[] {
  return [
    {
      head: 'Tool',
      cell: ({ tool, server_id }) => (
        <>
          {tool}
          <span class="id">
            of <a href={serverPath(server_id)}>{server_id}</a>
          </span>
        </>
      ),
    },
    { head: 'When', kind: 'nowrap', cell: ({ at }) => <Time at={at} /> },
    {
      head: 'By',
      cell: ({ developer_id, key_id, user_id }) => (
        <>
          <ShortId id={developer_id} name={names.of(developer_id)} />
          <span class="muted small-text below">
            <ShortId id={key_id} name={names.of(key_id)} />
            {user_id !== null && ` for ${user_id}`}
          </span>
        </>
      ),
    },
    {
      head: 'Outcome',
      cell: ({ outcome, toolset }) => (
        <>
          <Outcome outcome={outcome} />
          {toolset !== null && (
            <span class="small-text below">
              by <a href={toolsetPath(toolset)}>{toolset}</a>
            </span>
          )}
        </>
      ),
    },
    { head: 'Took', kind: 'number', cell: ({ latency_ms }) => ms(latency_ms) },
    {
      head: 'Actions',
      kind: 'actions',
      cell: (call) => (
        <Button small onClick={() => show(call)} label={`Details of ${call.tool}, ${call.id}`}>
          Details
        </Button>
      ),
    },
  ];
}

function CallDialog(props: { readonly of: CallRecord; readonly names: Names; readonly onClose: () => void }) {
  const { of, names, onClose } = props;
  const named = (id: string) => [names.of(id), id].filter(Boolean).join(' · ');
  const rows = [
    ['Call', of.id],
    ['When', `${when(of.at)} (${of.at})`],
    ['Server', of.server_id],
    ['Developer', named(of.developer_id)],
    ['Key', named(of.key_id)],
    ['User', of.user_id ?? 'none'],
    ['Decided by', of.toolset ?? 'no toolset'],
    ['Sent and received', `${bytes(of.request_bytes)} and ${bytes(of.reply_bytes)} in ${ms(of.latency_ms)}`],
    ['Definition (SHA-256)', of.definition ?? 'none in the catalogue'],
    ['Arguments (SHA-256)', of.arguments_digest ?? 'not kept'],
    ['Arguments, masked', of.arguments_masked ?? 'not kept'],
  ] as const;
  return (
    <Dialog title={`Call of ${of.tool}`} onClose={onClose}>
      <div class="dialog-body">
        <p>
          <Outcome outcome={of.outcome} />
        </p>
        <dl class="details">
          {rows.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </div>
    </Dialog>
  );
}
