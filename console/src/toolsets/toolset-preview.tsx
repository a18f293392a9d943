import { useState } from 'preact/hooks';
import type {
  ApiKey,
  ToolsetPreview as Preview,
  ToolsetBindings,
  ToolsetDecision,
} from '../../../sdk/api.ts';
import { usePages } from '../api/use-data.ts';
import { serverPath, toolsetPath } from '../browser/router.ts';
import { Badge } from '../components/facts.tsx';
import { type Options, Select } from '../components/fields.tsx';
import { EmptyState } from '../components/states.tsx';
import { type Column, DataTable, Paged } from '../components/table.tsx';
import { Effect } from './effect.tsx';

type Seen = Preview['servers'][number];

/** What a key sees by all that is bound to it, as it is stored now; each of `changes` is looked at anew. */
export function ToolsetPreview(props: {
  readonly name: string;
  readonly keys: readonly ApiKey[];
  readonly bindings: ToolsetBindings | undefined;
  readonly changes: number;
}) {
  const { name, keys, bindings, changes } = props;
  const [chosen, setChosen] = useState<string | null>(null);
  const usable = keys.filter(({ revoked_at }) => revoked_at === null);
  const isBound = ({ key_id, developer }: ApiKey) =>
    bindings?.keys.includes(key_id) === true || bindings?.developers.includes(developer) === true;
  const key = usable.find(({ key_id }) => key_id === chosen) ?? usable.find(isBound);
  return (
    <section aria-labelledby="preview">
      <h2 id="preview">What a key sees</h2>
      <div class="filters">
        <Select label="Key" value={key?.key_id ?? ''} options={optionsOf(usable)} onChange={setChosen} />
      </div>
      {key !== undefined && (
        <>
          {!isBound(key) && (
            <p class="muted tally">This toolset is not bound to that key and decides nothing for it.</p>
          )}
          <Servers key={`${key.key_id} ${changes}`} name={name} keyId={key.key_id} />
        </>
      )}
    </section>
  );
}

function optionsOf(keys: readonly ApiKey[]): Options {
  return [
    ['', 'Choose one'],
    ...keys.map(({ key_id, name, developer }) => [key_id, `${name} of ${developer}`] as const),
  ];
}

function Servers({ name, keyId }: { readonly name: string; readonly keyId: string }) {
  const pages = usePages(
    'GET /v1/admin/toolsets/{name}/preview',
    { params: { name }, query: { key_id: keyId } },
    { after: 'cursor', read: ({ servers, next_cursor }) => ({ rows: servers, next: next_cursor }) },
  );
  return (
    <Paged of={pages} more="Show more" empty={<EmptyState icon="catalogue" title="The catalogue is empty" />}>
      {(servers) => (
        <DataTable label="What the key sees" columns={columns} rows={servers} keyOf={({ id }) => id} />
      )}
    </Paged>
  );
}

const columns: Column<Seen>[] = [
  {
    head: 'Server',
    cell: ({ id, visible }) => (
      <span class="named">
        <a href={serverPath(id)}>{id}</a>
        {!visible && <Badge tone="bad">not granted</Badge>}
      </span>
    ),
  },
  {
    head: 'Tools',
    cell: ({ visible, tools }) => {
      if (!visible) return <span class="muted">not there for this key</span>;
      if (tools.length === 0) return <span class="muted">none known yet</span>;
      const groups = Map.groupBy(tools, ({ decision: { effect, toolset } }) => `${effect} ${toolset}`);
      return [...groups].map(([key, [first, ...others]]) =>
        first === undefined ? null : (
          <p key={key} class="decided">
            <Decided decision={first.decision} />
            <code>{[first, ...others].map(({ name }) => name).join(', ')}</code>
          </p>
        ),
      );
    },
  },
  {
    head: 'All else it offers',
    cell: ({ visible, decision }) =>
      visible ? (
        <span class="decided">
          <Decided decision={decision} />
        </span>
      ) : (
        <span class="muted">–</span>
      ),
  },
];

function Decided({ decision: { effect, toolset } }: { readonly decision: ToolsetDecision }) {
  return (
    <>
      <Effect effect={effect} />
      <span class="muted small-text">
        {toolset === null ? (
          'by no toolset'
        ) : (
          <>
            by <a href={toolsetPath(toolset)}>{toolset}</a>
          </>
        )}
      </span>
    </>
  );
}
