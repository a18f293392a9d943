import { useState } from 'preact/hooks';
import type { OAuthClient } from '../../../sdk/api.ts';
import { call } from '../api/client.ts';
import { useData } from '../api/use-data.ts';
import { serverPath } from '../browser/router.ts';
import { Button, CopyButton } from '../components/button.tsx';
import { Confirm } from '../components/dialog.tsx';
import { Badge } from '../components/facts.tsx';
import { EmptyState, PageHeader } from '../components/states.tsx';
import { type Column, List } from '../components/table.tsx';
import { NewClient } from '../dialogs/new-client.tsx';

export function OAuthClientsPage() {
  const list = useData('GET /v1/admin/oauth-clients');
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<OAuthClient | null>(null);
  return (
    <>
      <PageHeader
        title="OAuth clients"
        lead={
          <>
            Who we are to the authorization servers of MCP servers. Clients of providers such as Google are
            set by <a href="/docs/connections">MCPRANK_PROVIDERS</a>.
          </>
        }
      >
        <Button kind="main" icon="plus" onClick={() => setAdding(true)}>
          Add a client
        </Button>
      </PageHeader>
      <div class="stack">
        <div>
          <List
            of={list}
            rows={({ clients }) => clients}
            keyOf={({ id }) => id}
            empty={
              <EmptyState icon="link" title="No clients yet">
                Most authorization servers register us on the way, with the first user who connects. Where one
                does not, register there by hand and add the client here.{' '}
                <a href="/docs/mcp">How that works</a>
              </EmptyState>
            }
            label="OAuth clients"
            columns={columns(setRemoving)}
          />
        </div>
        <Registration />
      </div>
      {adding && <NewClient onClose={() => setAdding(false)} onMade={list.reload} />}
      {removing !== null && (
        <Confirm
          title="Remove this client?"
          verb="Remove"
          onClose={() => setRemoving(null)}
          act={async () => {
            await call('DELETE /v1/admin/oauth-clients/{id}', { params: { id: removing.id } });
            list.reload();
          }}
        >
          <p>
            What users consented to by <strong>{removing.client_id}</strong> at {removing.issuer} cannot be
            renewed any more: they have to connect again.
          </p>
        </Confirm>
      )}
    </>
  );
}

function columns(remove: (client: OAuthClient) => void): Column<OAuthClient>[] {
  return [
    {
      head: 'Client',
      cell: ({ issuer, client_id }) => (
        <>
          {issuer}
          <span class="id">as {client_id}</span>
        </>
      ),
    },
    {
      head: 'For',
      cell: ({ server_id }) =>
        server_id === null ? (
          <span class="muted">all its servers</span>
        ) : (
          <a href={serverPath(server_id)}>{server_id}</a>
        ),
    },
    {
      head: 'Registered',
      cell: ({ kind }) =>
        kind === 'registered' ? <Badge tone="accent">by hand</Badge> : <Badge>on the way</Badge>,
    },
    {
      head: 'Proves itself',
      cell: ({ auth_method }) =>
        auth_method === '' ? <span class="muted">as the issuer says</span> : <code>{auth_method}</code>,
    },
    {
      head: 'Actions',
      kind: 'actions',
      cell: (client) => (
        <Button
          small
          kind="danger"
          onClick={() => remove(client)}
          label={`Remove ${client.client_id} at ${client.issuer}`}
        >
          Remove
        </Button>
      ),
    },
  ];
}

/** What one types in at an authorization server to register us there. */
function Registration() {
  const { data } = useData('GET /client-metadata.json');
  if (data === undefined) return null;
  const rows = [
    ['Redirect URI', data.redirect_uris[0] ?? ''],
    ['Client metadata', data.client_id],
  ] as const;
  return (
    <section aria-labelledby="registration">
      <h2 id="registration">To register by hand</h2>
      <dl class="details">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class="copied">
              <code class="any">{value}</code>
              <CopyButton text={value} />
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
