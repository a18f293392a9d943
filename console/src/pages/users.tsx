import { useState } from 'preact/hooks';
import type { Connection, User } from '../../../sdk/api.ts';
import { call, maySee } from '../api/client.ts';
import { useData } from '../api/use-data.ts';
import { type Names, useNames } from '../api/use-names.ts';
import { count } from '../browser/format.ts';
import { serverPath } from '../browser/router.ts';
import { Button, CopyButton } from '../components/button.tsx';
import { Confirm } from '../components/dialog.tsx';
import { Badge, ShortId, Time } from '../components/facts.tsx';
import { FilterForm } from '../components/fields.tsx';
import { EmptyState, PageHeader } from '../components/states.tsx';
import { type Column, List } from '../components/table.tsx';
import { Tabs } from '../components/tabs.tsx';
import { ConnectUser } from '../dialogs/connect-user.tsx';

const pageSize = 200;

export function UsersPage() {
  return (
    <>
      <PageHeader
        title="Users"
        lead="Whom apps act for, and what those people are connected to. Tokens rest sealed and are never shown."
      />
      <Tabs
        label="Users and connections"
        tabs={[
          { name: 'Users', body: () => <UsersTab /> },
          { name: 'Connections', body: () => <ConnectionsTab /> },
          { name: 'Providers', body: () => <ProvidersTab /> },
        ]}
      />
    </>
  );
}

function UsersTab() {
  const names = useNames();
  const [filters, setFilters] = useState({ text: '' });
  const [revoking, setRevoking] = useState<User | null>(null);
  const list = useData('GET /v1/admin/users', { query: { ...filters, limit: pageSize } });
  return (
    <>
      <FilterForm labels={{ text: 'User id' }} onApply={setFilters} />
      <List
        of={list}
        rows={({ users }) => users}
        keyOf={({ developer_id, user_id }) => `${developer_id} ${user_id}`}
        empty={
          filters.text !== '' ? (
            <EmptyState icon="people" title="No user is called like that">
              The filter matches any part of an id.
            </EmptyState>
          ) : (
            <EmptyState icon="people" title="No users yet">
              An app names its user once with POST /v1/identity/token, and the user shows here.{' '}
              <a href="/docs/identity">How that works</a>
            </EmptyState>
          )
        }
        note={(users) =>
          users.length === pageSize && (
            <p class="muted tally">The newest {pageSize}; narrow it down for more.</p>
          )
        }
        label="Users"
        columns={[
          { head: 'User', cell: ({ user_id }) => user_id },
          {
            head: 'Developer',
            cell: ({ developer_id }) => <ShortId id={developer_id} name={names.of(developer_id)} />,
          },
          {
            head: 'Signed in',
            kind: 'nowrap',
            cell: ({ sessions }) =>
              sessions === 0 ? <span class="muted">no</span> : count(sessions, 'session'),
          },
          { head: 'Since', kind: 'nowrap', cell: ({ created_at }) => <Time at={created_at} /> },
          {
            head: 'Actions',
            kind: 'actions',
            cell: (user) => (
              <Button
                small
                kind="danger"
                onClick={() => setRevoking(user)}
                label={`Revoke everything of ${user.user_id}`}
              >
                Revoke
              </Button>
            ),
          },
        ]}
      />
      {revoking !== null && (
        <Confirm
          title="Revoke everything of this user?"
          verb="Revoke"
          onClose={() => setRevoking(null)}
          act={async () => {
            const { developer_id, user_id } = revoking;
            await call('POST /v1/admin/users/revoke', { body: { developer_id, user_id } });
            list.reload();
          }}
        >
          <p>
            The tokens of <strong>{revoking.user_id}</strong> die at once, and the connections to providers
            are deleted. The app can start over with the same user.
          </p>
        </Confirm>
      )}
    </>
  );
}

function ConnectionsTab() {
  const names = useNames();
  const [filters, setFilters] = useState({ user_id: '', provider: '' });
  const [leaving, setLeaving] = useState<Connection | null>(null);
  const [connecting, setConnecting] = useState(false);
  const providers = useData('GET /v1/admin/providers');
  const list = useData('GET /v1/admin/connections', { query: { ...filters, limit: pageSize } });
  const filtered = filters.user_id !== '' || filters.provider !== '';
  return (
    <>
      {maySee({ scope: 'identity', role: 'admin' }) && (
        <p>
          <Button icon="link" onClick={() => setConnecting(true)} disabled={providers.data === undefined}>
            Connect a user
          </Button>
        </p>
      )}
      <FilterForm labels={{ user_id: 'User', provider: 'Provider' }} onApply={setFilters} />
      <List
        of={list}
        rows={({ connections }) => connections}
        keyOf={({ id }) => id}
        empty={
          filtered ? (
            <EmptyState icon="people" title="Nobody is connected like that">
              Filters match whole user ids and provider names.
            </EmptyState>
          ) : (
            <EmptyState icon="people" title="Nobody is connected yet">
              An app opens a session with POST /v1/identity/sessions; the user consents, and the connection
              shows here. <a href="/docs/connections">How that works</a>
            </EmptyState>
          )
        }
        note={(connections) => (
          <p class="muted tally">
            {count(connections.length, 'connection')} of{' '}
            {count(
              new Set(connections.map(({ developer_id, user_id }) => `${developer_id} ${user_id}`)).size,
              'user',
            )}
            {connections.length === pageSize && ', and there are more: narrow it down'}
          </p>
        )}
        label="Connections"
        columns={connectionColumns(names, setLeaving)}
      />
      {connecting && (
        <ConnectUser
          providers={(providers.data?.providers ?? []).filter(({ missing }) => missing.length === 0)}
          onConnected={list.reload}
          onClose={() => setConnecting(false)}
        />
      )}
      {leaving !== null && (
        <Confirm
          title="Disconnect?"
          verb="Disconnect"
          onClose={() => setLeaving(null)}
          act={async () => {
            await call('DELETE /v1/admin/connections/{id}', { params: { id: leaving.id } });
            list.reload();
          }}
        >
          <p>
            The tokens of <strong>{leaving.user_id}</strong> for {targetOf(leaving)} are deleted here at once,
            and revoked at the provider as soon as it answers. The user has to consent again.
          </p>
        </Confirm>
      )}
    </>
  );
}

/** What users can be connected to, what each provider has to know of us, and what is missing. */
function ProvidersTab() {
  const list = useData('GET /v1/admin/providers');
  return (
    <List
      of={list}
      rows={({ providers }) => [...providers].sort((a, b) => a.missing.length - b.missing.length)}
      keyOf={({ name }) => name}
      empty={<EmptyState icon="link" title="No provider is known" />}
      label="Providers"
      columns={[
        {
          head: 'Provider',
          cell: ({ name, title, scopes }) => (
            <>
              {title}
              <span class="id">{name}</span>
              <span class="muted small-text below" title={scopes.join('\n')}>
                {scopes.length === 0 ? 'scopes as they are asked for' : count(scopes.length, 'scope')}
              </span>
            </>
          ),
        },
        {
          head: 'Status',
          cell: ({ missing }) =>
            missing.length === 0 ? (
              <Badge tone="good">ready</Badge>
            ) : (
              <>
                <Badge tone="warn">not configured</Badge>
                {missing.map((each) => (
                  <span key={each} class="muted small-text below">
                    {each}
                  </span>
                ))}
              </>
            ),
        },
        {
          head: 'Callback URL, to be registered with it',
          cell: ({ callback_url: url }) => (
            <>
              <code>{url}</code> <CopyButton text={url} />
            </>
          ),
        },
      ]}
    />
  );
}

function targetOf({ provider, server_id }: Connection): string {
  return server_id ?? provider;
}

function connectionColumns(names: Names, disconnect: (connection: Connection) => void): Column<Connection>[] {
  return [
    { head: 'User', cell: ({ user_id }) => user_id },
    {
      head: 'Developer',
      cell: ({ developer_id }) => <ShortId id={developer_id} name={names.of(developer_id)} />,
    },
    {
      head: 'Connected to',
      cell: ({ provider, server_id, label, account, scopes }) => (
        <>
          {server_id !== undefined ? (
            <a href={serverPath(server_id)}>{server_id}</a>
          ) : (
            `${provider} as ${label ?? account}`
          )}
          <span class="muted small-text below" title={scopes.join('\n')}>
            {count(scopes.length, 'scope')}
          </span>
        </>
      ),
    },
    {
      head: 'Status',
      cell: ({ status, renewable, expires_at }) => (
        <>
          <Badge tone={status === 'active' ? 'good' : 'warn'}>
            {status === 'active' ? 'active' : 'must consent again'}
          </Badge>
          {status === 'active' && !renewable && expires_at !== null && (
            <span class="muted small-text below">
              cannot be renewed, ends <Time at={expires_at} />
            </span>
          )}
        </>
      ),
    },
    { head: 'Since', kind: 'nowrap', cell: ({ created_at }) => <Time at={created_at} /> },
    {
      head: 'Actions',
      kind: 'actions',
      cell: (each) => (
        <Button
          small
          kind="danger"
          onClick={() => disconnect(each)}
          label={`Disconnect ${each.user_id} from ${targetOf(each)}`}
        >
          Disconnect
        </Button>
      ),
    },
  ];
}
