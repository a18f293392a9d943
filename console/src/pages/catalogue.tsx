import { useEffect, useState } from 'preact/hooks';
import { get, may, query } from '../api/client.ts';
import type { Catalogue, ListedServer, ServerPage as Page } from '../api/types.ts';
import { useData } from '../api/use.ts';
import { Badge, Bar, Button, Select, State } from '../parts/bits.tsx';
import { count } from '../parts/format.ts';
import { Icon } from '../parts/icons.tsx';
import { Empty, Failed, PageHead, Skeleton } from '../parts/states.tsx';
import { AddServer } from '../server/add.tsx';
import { go, params, serverPath } from '../shell/router.ts';

const names = ['text', 'category', 'transport', 'auth', 'source', 'verified'] as const;
type Name = (typeof names)[number];

export function CataloguePage() {
  const facts = useData<Catalogue>('/v1/catalogue');
  const [adding, setAdding] = useState(false);
  const filters = Object.fromEntries(names.map((name) => [name, params.value.get(name) ?? ''])) as Record<
    Name,
    string
  >;
  const list = usePages(filters);
  const change = (changed: Partial<Record<Name, string>>) =>
    go(`/catalogue${query({ ...filters, ...changed })}`, { stay: true, replace: true });
  const filtered = names.some((name) => filters[name] !== '');

  return (
    <>
      <PageHead
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
      </PageHead>
      <Narrow filters={filters} facts={facts.data} change={change} />
      {list.error !== null && <Failed error={list.error} retry={list.more} />}
      {list.servers === null
        ? list.error === null && <Skeleton rows={8} />
        : list.servers.length === 0 && (
            <Empty
              icon="catalogue"
              title={filtered ? 'No server fits these filters' : 'The catalogue is empty'}
            >
              {filtered ? (
                <Button onClick={() => go('/catalogue', { stay: true })}>Clear the filters</Button>
              ) : (
                'Add a server, import a file with mcprank catalog import, or let it sync from the public registry.'
              )}
            </Empty>
          )}
      {list.servers !== null && list.servers.length > 0 && (
        <ul class="rows">
          {list.servers.map((server) => (
            <Row key={server.id} server={server} />
          ))}
        </ul>
      )}
      {list.next !== undefined && (
        <p class="more">
          <Button busy={list.busy} onClick={list.more}>
            Show more
          </Button>
        </p>
      )}
      {adding && <AddServer onClose={() => setAdding(false)} />}
    </>
  );
}

function Narrow(props: {
  readonly filters: Record<Name, string>;
  readonly facts: Catalogue | undefined;
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
      <label class="text-filter">
        <Icon name="search" />
        <span class="unseen">Name, id or description</span>
        <input
          type="search"
          placeholder="Name, id or description"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
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
    </search>
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

/** Page after page, begun again whenever the filters change. */
function usePages(filters: Record<Name, string>) {
  const [state, setState] = useState<{
    servers: readonly ListedServer[] | null;
    next: string | undefined;
    error: Error | null;
    busy: boolean;
  }>({ servers: null, next: undefined, error: null, busy: true });
  const path = `/v1/servers${query({ ...filters, limit: 50 })}`;
  const read = (cursor: string | undefined, gone?: AbortSignal) => {
    setState((old) => ({ ...old, busy: true, error: null }));
    get<Page>(`${path}${cursor === undefined ? '' : `&cursor=${cursor}`}`, gone).then(
      ({ servers, metadata }) =>
        setState((old) => ({
          servers: cursor === undefined ? servers : [...(old.servers ?? []), ...servers],
          next: metadata.next_cursor,
          error: null,
          busy: false,
        })),
      (error: Error) => {
        if (gone?.aborted !== true) setState((old) => ({ ...old, error, busy: false }));
      },
    );
  };
  useEffect(() => {
    const gone = new AbortController();
    read(undefined, gone.signal);
    return () => gone.abort();
  }, [path]);
  return { ...state, more: () => read(state.next) };
}
