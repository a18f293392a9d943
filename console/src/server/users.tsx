import { useState } from 'preact/hooks';
import { call, query } from '../api/client.ts';
import type { User } from '../api/types.ts';
import { useData } from '../api/use.ts';
import { Button, Table, TextFilter, Time } from '../parts/bits.tsx';
import { Confirm } from '../parts/dialog.tsx';
import { count } from '../parts/format.ts';
import { Empty, Shown } from '../parts/states.tsx';

const pageSize = 200;

export function UsersTab() {
  const [text, setText] = useState('');
  const [applied, setApplied] = useState('');
  const [revoking, setRevoking] = useState<User | null>(null);
  const list = useData<{ users: readonly User[] }>(
    `/v1/admin/users${query({ text: applied, limit: pageSize })}`,
  );
  return (
    <>
      <search>
        <form
          class="filters"
          onSubmit={(event) => {
            event.preventDefault();
            setApplied(text);
          }}
        >
          <TextFilter label="User id" value={text} onInput={setText} />
          <Button type="submit">Filter</Button>
        </form>
      </search>
      <Shown of={list}>
        {({ users }) =>
          users.length === 0 ? (
            <Empty icon="people" title={applied === '' ? 'No users yet' : 'No user is called like that'}>
              {applied === '' && (
                <>
                  An app names its user once with POST /v1/identity/token, and the user shows here.{' '}
                  <a href="/docs/identity">How that works</a>
                </>
              )}
            </Empty>
          ) : (
            <>
              {users.length === pageSize && (
                <p class="soft tally">The newest {pageSize}; narrow it down for more.</p>
              )}
              <Table label="Users">
                <thead>
                  <tr>
                    <th scope="col">User</th>
                    <th scope="col">Developer</th>
                    <th scope="col">Signed in</th>
                    <th scope="col">Since</th>
                    <th scope="col">
                      <span class="unseen">Actions</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {users.map((user) => (
                    <tr key={`${user.developer_id} ${user.user_id}`}>
                      <th scope="row">{user.user_id}</th>
                      <td class="id" title={user.developer_id}>
                        {user.developer_id.slice(0, 14)}…
                      </td>
                      <td>
                        {user.sessions === 0 ? <span class="soft">no</span> : count(user.sessions, 'session')}
                      </td>
                      <td class="nowrap">
                        <Time at={user.created_at} />
                      </td>
                      <td class="actions">
                        <Button
                          small
                          kind="danger"
                          onClick={() => setRevoking(user)}
                          label={`Revoke everything of ${user.user_id}`}
                        >
                          Revoke
                        </Button>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </Table>
            </>
          )
        }
      </Shown>
      {revoking !== null && (
        <Confirm
          title="Revoke everything of this user?"
          verb="Revoke"
          onClose={() => setRevoking(null)}
          act={async () => {
            const { developer_id, user_id } = revoking;
            await call('POST', '/v1/admin/users/revoke', { body: { developer_id, user_id } });
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
