import { useState } from 'preact/hooks';
import type { ApiKey } from '../../../sdk/api.ts';
import { call, session } from '../api/client.ts';
import { useData } from '../api/use-data.ts';
import { count, percent } from '../browser/format.ts';
import { Button } from '../components/button.tsx';
import { Chart } from '../components/chart.tsx';
import { Confirm, Dialog } from '../components/dialog.tsx';
import { Badge, ShortId, Stat, Time } from '../components/facts.tsx';
import { Select } from '../components/fields.tsx';
import { EmptyState, Loadable, PageHeader } from '../components/states.tsx';
import { type Column, List } from '../components/table.tsx';
import { NewKey } from '../dialogs/new-key.tsx';

type Status = 'active' | 'revoked' | 'expired';

export function KeysPage() {
  const keys = useData('GET /v1/admin/keys');
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const [shownUsage, setShownUsage] = useState<ApiKey | null>(null);
  const [shown, setShown] = useState<Status | ''>('active');
  return (
    <>
      <PageHeader
        title="Keys"
        lead="Who may call, what, and how often. A key’s text is shown once, when it is made."
      >
        <Button kind="main" icon="plus" onClick={() => setMaking(true)}>
          Make a key
        </Button>
      </PageHeader>
      <div class="filters">
        <Select
          label="Status"
          value={shown}
          options={[
            ['active', 'Active'],
            ['revoked', 'Revoked'],
            ['expired', 'Expired'],
            ['', 'All'],
          ]}
          onChange={(value) => setShown(value as Status | '')}
        />
      </div>
      <List
        of={keys}
        rows={(data) => data.keys.filter((key) => shown === '' || statusOf(key) === shown)}
        keyOf={({ key_id }) => key_id}
        empty={
          <EmptyState icon="keys" title={shown === '' ? 'There are no keys' : `No key is ${shown}`}>
            Choose another status, or make a key.
          </EmptyState>
        }
        label="Keys"
        columns={columns(setShownUsage, setRevoking)}
      />
      {making && (
        <NewKey
          onClose={() => setMaking(false)}
          onMade={keys.reload}
          developers={developersOf(keys.data?.keys)}
        />
      )}
      {shownUsage !== null && <UsageDialog of={shownUsage} onClose={() => setShownUsage(null)} />}
      {revoking !== null && (
        <Confirm
          title="Revoke this key?"
          verb="Revoke"
          onClose={() => setRevoking(null)}
          act={async () => {
            await call('DELETE /v1/admin/keys/{id}', { params: { id: revoking.key_id } });
            keys.reload();
          }}
        >
          <p>
            <strong>{revoking.name}</strong> of {revoking.developer} stops working here at once and everywhere
            within a second. This cannot be undone.
          </p>
          {revoking.key_id === session.value?.key_id && (
            <p class="hint error">It is the key that you are signed in with: you will be signed out.</p>
          )}
        </Confirm>
      )}
    </>
  );
}

function developersOf(keys: readonly ApiKey[] | undefined): string[] {
  return [...new Set((keys ?? []).map(({ developer }) => developer))].sort();
}

function statusOf({ revoked_at, expires_at }: ApiKey): Status {
  if (revoked_at !== null) return 'revoked';
  return expires_at !== null && Date.parse(expires_at) <= Date.now() ? 'expired' : 'active';
}

function columns(showUsage: (key: ApiKey) => void, revoke: (key: ApiKey) => void): Column<ApiKey>[] {
  return [
    {
      head: 'Key',
      cell: (key) => (
        <>
          <span class="named">
            {key.name}
            {key.key_id === session.value?.key_id && <Badge tone="accent">yours</Badge>}
            {statusOf(key) !== 'active' && <Badge tone="bad">{statusOf(key)}</Badge>}
          </span>
          <ShortId id={key.key_id} />
        </>
      ),
    },
    {
      head: 'Developer and tier',
      cell: ({ developer, tier }) => (
        <>
          {developer}
          <br />
          <Badge>{tier}</Badge>
        </>
      ),
    },
    {
      head: 'Scopes',
      kind: 'scopes',
      cell: ({ scopes, addresses }) => (
        <>
          {scopesOf(scopes)}
          {addresses !== null && <span class="muted small-text below">only from {addresses.join(', ')}</span>}
        </>
      ),
    },
    { head: 'Last used', kind: 'nowrap', cell: ({ last_used_at }) => <Time at={last_used_at} /> },
    { head: 'Ends', kind: 'nowrap', cell: ({ expires_at }) => <Time at={expires_at} /> },
    {
      head: 'Actions',
      kind: 'actions',
      cell: (key) => (
        <>
          <Button small onClick={() => showUsage(key)} label={`Usage of ${key.name}`}>
            Usage
          </Button>
          {statusOf(key) === 'active' && (
            <Button small kind="danger" onClick={() => revoke(key)} label={`Revoke ${key.name}`}>
              Revoke
            </Button>
          )}
        </>
      ),
    },
  ];
}

const scopeCount = 6;

function scopesOf(scopes: readonly string[]): string {
  if (scopes.length === scopeCount) return 'all';
  return scopes.length === scopeCount - 1 && !scopes.includes('admin') ? 'all but admin' : scopes.join(', ');
}

function UsageDialog({ of, onClose }: { readonly of: ApiKey; readonly onClose: () => void }) {
  const usage = useData('GET /v1/admin/keys/{id}/usage', { params: { id: of.key_id }, query: { days: 30 } });
  return (
    <Dialog title={`Usage of ${of.name}`} onClose={onClose}>
      <div class="dialog-body">
        <Loadable of={usage} rows={3}>
          {({ days }) => {
            const sum = (field: 'searches' | 'calls' | 'failures') =>
              days.reduce((all, day) => all + day[field], 0);
            const [searches, calls, failures] = [sum('searches'), sum('calls'), sum('failures')];
            if (searches + calls === 0)
              return (
                <EmptyState icon="activity" title="Not used in the last 30 days">
                  Searches and recorded calls made with this key will show here.
                </EmptyState>
              );
            return (
              <div class="stack">
                <dl class="stats">
                  <Stat label="Searches" value={count(searches)} note="in 30 days" />
                  <Stat label="Calls" value={count(calls)} note="in 30 days" />
                  <Stat
                    label="Success"
                    value={calls === 0 ? '–' : percent(1 - failures / calls)}
                    note="of calls"
                  />
                </dl>
                <Chart
                  summary={`Use by day: ${count(searches, 'search').replace('searchs', 'searches')} and ${count(calls, 'call')} in 30 days`}
                  times={days.map(({ day }) => Date.parse(day))}
                  series={[
                    {
                      label: 'Searches',
                      colour: '--accent',
                      values: days.map((day) => day.searches),
                      filled: true,
                    },
                    { label: 'Calls', colour: '--second', values: days.map((day) => day.calls) },
                    { label: 'Failed calls', colour: '--bad', values: days.map((day) => day.failures) },
                  ]}
                  format={(value) => count(value)}
                />
              </div>
            );
          }}
        </Loadable>
      </div>
    </Dialog>
  );
}
