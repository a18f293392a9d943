import { useState } from 'preact/hooks';
import type { Toolset } from '../../../sdk/api.ts';
import { ApiError, call } from '../api/client.ts';
import { useData } from '../api/use-data.ts';
import { navigate } from '../browser/router.ts';
import { Button } from '../components/button.tsx';
import { Confirm } from '../components/dialog.tsx';
import { Icon } from '../components/icons.tsx';
import { EmptyState, Loadable, PageHeader } from '../components/states.tsx';
import { ToolsetBindings } from '../toolsets/toolset-bindings.tsx';
import { ToolsetForm } from '../toolsets/toolset-form.tsx';
import { ToolsetPreview } from '../toolsets/toolset-preview.tsx';

export function ToolsetPage({ name }: { readonly name: string }) {
  const found = useData('GET /v1/admin/toolsets/{name}', { params: { name } });
  if (found.state === 'failed' && found.error instanceof ApiError && found.error.status < 500)
    return (
      <>
        <PageHeader title={name} />
        <EmptyState icon="toolsets" title={found.error.message}>
          <a href="/keys/toolsets">Back to the toolsets</a>
        </EmptyState>
      </>
    );
  return (
    <>
      <nav class="crumbs" aria-label="You are here">
        <a href="/keys/toolsets">Toolsets</a>
        <Icon name="chevron" />
        <span>{name}</span>
      </nav>
      {found.data === undefined && <PageHeader title={name} />}
      <Loadable of={found} rows={6}>
        {(toolset) => <ToolsetView toolset={toolset} />}
      </Loadable>
    </>
  );
}

function ToolsetView(props: { readonly toolset: Toolset }) {
  const [toolset, setToolset] = useState(props.toolset);
  const { name } = toolset;
  const keys = useData('GET /v1/admin/keys');
  const bindings = useData('GET /v1/admin/toolsets/{name}/bindings', { params: { name } });
  const [changes, setChanges] = useState(0);
  return (
    <>
      <PageHeader title={toolset.title ?? name} lead={<span class="id">{name}</span>}>
        <Removal name={name} />
      </PageHeader>
      <div class="stack">
        <section aria-labelledby="rules">
          <h2 id="rules">Rules</h2>
          <ToolsetForm
            toolset={props.toolset}
            onSaved={(saved) => {
              setToolset(saved);
              setChanges((n) => n + 1);
            }}
          />
        </section>
        <ToolsetBindings
          name={name}
          bindings={bindings}
          keys={keys.data?.keys ?? []}
          onChanged={() => {
            bindings.reload();
            setChanges((n) => n + 1);
          }}
        />
        <ToolsetPreview name={name} keys={keys.data?.keys ?? []} bindings={bindings.data} changes={changes} />
      </div>
    </>
  );
}

function Removal({ name }: { readonly name: string }) {
  const [removing, setRemoving] = useState(false);
  return (
    <>
      <Button kind="danger" onClick={() => setRemoving(true)}>
        Remove
      </Button>
      {removing && (
        <Confirm
          title="Remove this toolset?"
          verb="Remove"
          onClose={() => setRemoving(false)}
          act={async () => {
            await call('DELETE /v1/admin/toolsets/{name}', { params: { name } });
            navigate('/keys/toolsets');
          }}
        >
          <p>
            Whoever <strong>{name}</strong> is bound to may use everything that no other toolset denies them,
            at once. This cannot be undone.
          </p>
        </Confirm>
      )}
    </>
  );
}
