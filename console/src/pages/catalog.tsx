import { useEffect, useState } from 'preact/hooks';
import type { CatalogSize, ListedServer } from '../../../sdk/api.ts';
import { may, queryText } from '../api/client.ts';
import { useData, usePages } from '../api/use-data.ts';
import { count } from '../browser/format.ts';
import { navigate, params, serverPath } from '../browser/router.ts';
import { Button } from '../components/button.tsx';
import { Badge, Bar, State } from '../components/facts.tsx';
import { Select, TypedFilter } from '../components/fields.tsx';
import { EmptyState, PageHeader } from '../components/states.tsx';
import { Paged } from '../components/table.tsx';
import { AddServer } from '../server-entry/add-server.tsx';

const names = ['text', 'category', 'transport', 'auth', 'source', 'verified', 'sort'] as const;
type Name = (typeof names)[number];

export function CatalogPage() {
  const facts = useData('GET /v1/catalogue');
  const [adding, setAdding] = useState(false);
  const filters = Object.fromEntries(names.map((name) => [name, params.value.get(name) ?? ''])) as Record<
    Name,
    string
  >;
  const list = usePages(
    'GET /v1/servers',
    { query: { ...filters, sort: filters.sort || 'own', limit: 50 } },
    { after: 'cursor', read: ({ servers, metadata }) => ({ rows: servers, next: metadata.next_cursor }) },
  );
  const change = (changed: Partial<Record<Name, string>>) =>
    navigate(`/catalogue${queryText({ ...filters, ...changed })}`, { stay: true, replace: true });
  const filtered = names.some((name) => name !== 'sort' && filters[name] !== '');

  return (
    <>
      <PageHeader
        title="Catalogue"
        lead={
          facts.data === undefined
            ? 'Every server that search knows.'
            : `${count(facts.data.servers, 'server')} with ${count(facts.data.tools, 'tool')}.`
        }
      >
        {may('admin') && (
          <Button kind="main" icon="plus" onClick={() => setAdding(true)}>
            Add a server
          </Button>
        )}
      </PageHeader>
      <Filters filters={filters} facts={facts.data} change={change} />
      <Paged
        of={list}
        more="Show more"
        empty={
          <EmptyState
            icon="catalogue"
            title={filtered ? 'No server fits these filters' : 'The catalogue is empty'}
          >
            {filtered ? (
              <Button onClick={() => navigate('/catalogue', { stay: true })}>Clear the filters</Button>
            ) : (
              'Add a server, import a file with mcprank catalog import, or let it sync from the public registry.'
            )}
          </EmptyState>
        }
      >
        {(servers) => (filters.sort === '' ? <OwnFirst servers={servers} /> : <Rows servers={servers} />)}
      </Paged>
      {adding && <AddServer onClose={() => setAdding(false)} />}
    </>
  );
}

function Filters(props: {
  readonly filters: Record<Name, string>;
  readonly facts: CatalogSize | undefined;
  readonly change: (changed: Partial<Record<Name, string>>) => void;
}) {
  const { filters, facts, change } = props;
  const [text, setText] = useState(filters.text);
  useEffect(() => {
    if (text === filters.text) return;
    const timer = setTimeout(() => change({ text }), 250);
    return () => clearTimeout(timer);
  }, [text]);
  useEffect(() => setText(filters.text), [filters.text]);
  const options = (facet: 'category' | 'transport' | 'auth' | 'source', none?: string) => [
    ['', 'Any'] as const,
    ...(facts?.[facet] ?? []).flatMap(({ name, servers }) => {
      if (name === null) return none === undefined ? [] : [['none', `${none} (${servers})`] as const];
      return [[name, `${name} (${servers})`] as const];
    }),
  ];
  return (
    <search class="filters">
      <TypedFilter label="Name, id or description" value={text} onValue={setText} />
      <Select
        label="Category"
        value={filters.category}
        options={options('category')}
        onChange={(category) => change({ category })}
      />
      <Select
        label="Transport"
        value={filters.transport}
        options={options('transport')}
        onChange={(transport) => change({ transport })}
      />
      <Select
        label="Credentials"
        value={filters.auth}
        options={options('auth', 'none')}
        onChange={(auth) => change({ auth })}
      />
      <Select
        label="From"
        value={filters.source}
        options={options('source')}
        onChange={(source) => change({ source })}
      />
      <Select label="Order" value={filters.sort} options={orders} onChange={(sort) => change({ sort })} />
    </search>
  );
}

const orders = [
  ['', 'Own first'],
  ['name', 'Name'],
  ['health', 'Not well first'],
  ['popularity', 'Most popular'],
  ['added', 'Newest'],
] as const;

/** What the operator wrote, by hand or in a file. */
const ownSources: ReadonlySet<string> = new Set(['admin', 'apply', 'config']);

function OwnFirst({ servers }: { readonly servers: readonly ListedServer[] }) {
  const own = servers.filter(({ source }) => ownSources.has(source));
  const others = servers.slice(own.length);
  if (own.length === 0) return <Rows servers={servers} />;
  return (
    <div class="stack">
      <section aria-labelledby="own">
        <h2 id="own">Added here</h2>
        <Rows servers={own} />
      </section>
      {others.length > 0 && (
        <section aria-labelledby="others">
          <h2 id="others">From elsewhere</h2>
          <Rows servers={others} />
        </section>
      )}
    </div>
  );
}

function Rows({ servers }: { readonly servers: readonly ListedServer[] }) {
  return (
    <ul class="rows">
      {servers.map((server) => (
        <Row key={server.id} server={server} />
      ))}
    </ul>
  );
}

function Row({ server }: { readonly server: ListedServer }) {
  return (
    <li>
      <a class="row" href={serverPath(server.id)}>
        <span class="row-main">
          <span class="row-title">
            <strong>{server.name}</strong>
            {server.verified && <Badge tone="accent">verified</Badge>}
            {server.auth_type !== null && <Badge>{server.auth_type}</Badge>}
          </span>
          <span class="id">{server.id}</span>
          <span class="description">{server.description}</span>
        </span>
        <span class="row-facts">
          {server.state !== null && <State state={server.state} />}
          <span>{count(server.tool_count, 'tool')}</span>
          <span class="popularity" title={`popularity ${server.popularity.toFixed(2)}`}>
            popularity
            <Bar share={server.popularity} />
          </span>
        </span>
      </a>
    </li>
  );
}
