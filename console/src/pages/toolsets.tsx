import { useState } from 'preact/hooks';
import type { Toolset } from '../../../sdk/api.ts';
import { useData } from '../api/use-data.ts';
import { count } from '../browser/format.ts';
import { toolsetPath } from '../browser/router.ts';
import { Button } from '../components/button.tsx';
import { EmptyState, PageHeader } from '../components/states.tsx';
import { type Column, List } from '../components/table.tsx';
import { NewToolset } from '../dialogs/new-toolset.tsx';
import { Effect } from '../toolsets/effect.tsx';

export function ToolsetsPage() {
  const list = useData('GET /v1/admin/toolsets');
  const [making, setMaking] = useState(false);
  return (
    <>
      <PageHeader
        title="Toolsets"
        lead="Which tools the keys and developers that a toolset is bound to may use. What it leaves out is not there for them."
      >
        <Button kind="main" icon="plus" onClick={() => setMaking(true)}>
          Make a toolset
        </Button>
      </PageHeader>
      <List
        of={list}
        rows={({ toolsets }) => toolsets}
        keyOf={({ name }) => name}
        empty={
          <EmptyState icon="toolsets" title="No toolsets yet">
            Every key may use every tool that its scopes and the servers’ rights allow.{' '}
            <a href="/docs/rights">How that works</a>
          </EmptyState>
        }
        label="Toolsets"
        columns={columns}
      />
      {making && <NewToolset onClose={() => setMaking(false)} />}
    </>
  );
}

const columns: Column<Toolset>[] = [
  {
    head: 'Toolset',
    cell: ({ name, title }) => (
      <>
        <a href={toolsetPath(name)}>{title ?? name}</a>
        {title !== null && <span class="id">{name}</span>}
      </>
    ),
  },
  { head: 'Rules', kind: 'nowrap', cell: ({ rules }) => count(rules.length, 'rule') },
  { head: 'Where no rule fits', cell: (toolset) => <Effect effect={toolset.default} /> },
  { head: 'Version', kind: 'number', cell: ({ version }) => count(version) },
];
