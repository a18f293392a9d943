import { useState } from 'preact/hooks';
import type { Issuer } from '../../../sdk/api.ts';
import { call, session } from '../api/client.ts';
import { useData } from '../api/use-data.ts';
import { Button } from '../components/button.tsx';
import { Confirm } from '../components/dialog.tsx';
import { Time } from '../components/facts.tsx';
import { EmptyState, PageHeader } from '../components/states.tsx';
import { type Column, List } from '../components/table.tsx';
import { NewIssuer } from '../dialogs/new-issuer.tsx';

export function IssuersPage() {
  const list = useData('GET /v1/identity/issuers');
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Issuer | null>(null);
  return (
    <>
      <PageHeader
        title="Issuers"
        lead={`Identity providers that ${session.value?.developer ?? 'you'} trusts to name users: apps exchange their tokens for ours.`}
      >
        <Button kind="main" icon="plus" onClick={() => setAdding(true)}>
          Trust an issuer
        </Button>
      </PageHeader>
      <List
        of={list}
        rows={({ issuers }) => issuers}
        keyOf={({ issuer_id }) => issuer_id}
        empty={
          <EmptyState icon="shield" title="No issuer is trusted">
            Apps name their users themselves, with their key. With an issuer, they present the user’s own
            token instead. <a href="/docs/identity">How that works</a>
          </EmptyState>
        }
        label="Issuers"
        columns={columns(setRemoving)}
      />
      {adding && <NewIssuer onClose={() => setAdding(false)} onMade={list.reload} />}
      {removing !== null && (
        <Confirm
          title="Trust this issuer no longer?"
          verb="Remove"
          onClose={() => setRemoving(null)}
          act={async () => {
            await call('DELETE /v1/identity/issuers/{id}', { params: { id: removing.issuer_id } });
            list.reload();
          }}
        >
          <p>
            Tokens of <strong>{removing.issuer}</strong> are not exchanged any more. What was issued for them
            lives on until it ends.
          </p>
        </Confirm>
      )}
    </>
  );
}

function columns(remove: (issuer: Issuer) => void): Column<Issuer>[] {
  return [
    {
      head: 'Issuer',
      cell: ({ issuer, jwks_uri }) => (
        <>
          {issuer}
          <span class="id">keys at {jwks_uri}</span>
        </>
      ),
    },
    { head: 'Audience', cell: ({ audience }) => <code class="any">{audience}</code> },
    { head: 'Its users are', cell: ({ user_prefix }) => <code>{`${user_prefix}{sub}`}</code> },
    { head: 'Since', kind: 'nowrap', cell: ({ created_at }) => <Time at={created_at} /> },
    {
      head: 'Actions',
      kind: 'actions',
      cell: (issuer) => (
        <Button small kind="danger" onClick={() => remove(issuer)} label={`Remove ${issuer.issuer}`}>
          Remove
        </Button>
      ),
    },
  ];
}
