import { useState } from 'preact/hooks';
import { call, query } from '../api/client.ts';
import type { Connection } from '../api/types.ts';
import { useData } from '../api/use.ts';
import { Badge, Button, Table, TextFilter, Time } from '../parts/bits.tsx';
import { Confirm } from '../parts/dialog.tsx';
import { count } from '../parts/format.ts';
import { Empty, PageHead, Shown } from '../parts/states.tsx';
import { Tabs } from '../parts/tabs.tsx';
import { UsersTab } from '../server/users.tsx';

const pageSize = 200;

export function ConnectionsPage() {
  return (
    <>
      <PageHead
        title="Users"
        lead="Whom apps act for, and what those people are connected to. Tokens rest sealed and are never shown."
      />
      <Tabs
        label="Users and connections"
        tabs={[
          { name: 'Users', body: () => <UsersTab /> },
          { name: 'Connections', body: () => <ConnectionsTab /> },
        ]}
      />
    </>
  );
}

function ConnectionsTab() {
  const [filters, setFilters] = useState({ user_id: '', provider: '' });
  const [applied, setApplied] = useState(filters);
  const [leaving, setLeaving] = useState<Connection | null>(null);
  const list = useData<{ connections: readonly Connection[] }>(
    `/v1/admin/connections${query({ ...applied, limit: pageSize })}`,
  );
  const filtered = applied.user_id !== '' || applied.provider !== '';
  return (
    <>
      <search>
        <form
          class="filters"
          onSubmit={(event) => {
            event.preventDefault();
            setApplied(filters);
          }}
        >
          <TextFilter
            label="User"
            value={filters.user_id}
            onInput={(user_id) => setFilters({ ...filters, user_id })}
          />
          <TextFilter
            label="Provider"
            value={filters.provider}
            onInput={(provider) => setFilters({ ...filters, provider })}
          />
          <Button type="submit">Filter</Button>
        </form>
      </search>
      <Shown of={list}>
        {({ connections }) =>
          connections.length === 0 ? (
            <Empty
              icon="people"
              title={filtered ? 'Nobody is connected like that' : 'Nobody is connected yet'}
            >
              {filtered ? (
                'Filters match whole user ids and provider names.'
              ) : (
                <>
                  An app opens a session with POST /v1/identity/sessions; the user consents, and the
                  connection shows here. <a href="/docs/connections">How that works</a>
                </>
              )}
            </Empty>
          ) : (
            <>
              <p class="soft tally">
                {count(connections.length, 'connection')} of{' '}
                {count(
                  new Set(connections.map(({ developer_id, user_id }) => `${developer_id} ${user_id}`)).size,
                  'user',
                )}
                {connections.length === pageSize && ', and there are more: narrow it down'}
              </p>
              <ConnectionTable connections={connections} leave={setLeaving} />
            </>
          )
        }
      </Shown>
      {leaving !== null && (
        <Confirm
          title="Disconnect?"
          verb="Disconnect"
          onClose={() => setLeaving(null)}
          act={async () => {
            await call('DELETE', `/v1/admin/connections/${leaving.id}`);
            list.reload();
          }}
        >
          <p>
            The tokens of <strong>{leaving.user_id}</strong> for {leaving.provider} are deleted here at once,
            and revoked at the provider as soon as it answers. The user has to consent again.
          </p>
        </Confirm>
      )}
    </>
  );
}

function ConnectionTable(props: {
  readonly connections: readonly Connection[];
  readonly leave: (connection: Connection) => void;
}) {
  return (
    <Table label="Connections">
      <thead>
        <tr>
          <th scope="col">User</th>
          <th scope="col">Connected to</th>
          <th scope="col">Status</th>
          <th scope="col">Since</th>
          <th scope="col">
            <span class="unseen">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {props.connections.map((each) => (
          <tr key={each.id}>
            <th scope="row">
              {each.user_id}
              <span class="id" title={each.developer_id}>
                {each.developer_id.slice(0, 14)}…
              </span>
            </th>
            <td>
              {each.provider} as {each.label ?? each.account}
              <br />
              <span class="soft small-text" title={each.scopes.join('\n')}>
                {count(each.scopes.length, 'scope')}
              </span>
            </td>
            <td>
              <Badge tone={each.status === 'active' ? 'good' : 'warn'}>
                {each.status === 'active' ? 'active' : 'must consent again'}
              </Badge>
            </td>
            <td class="nowrap">
              <Time at={each.created_at} />
            </td>
            <td class="actions">
              <Button
                small
                kind="danger"
                onClick={() => props.leave(each)}
                label={`Disconnect ${each.user_id} from ${each.provider}`}
              >
                Disconnect
              </Button>
            </td>
          </tr>
        ))}
      </tbody>
    </Table>
  );
}
