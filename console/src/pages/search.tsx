import { useEffect, useRef, useState } from 'preact/hooks';
import type { SearchFilters, SearchHit, SearchRequest, SearchResult } from '../../../sdk/api.ts';
import { type Answer, call, may } from '../api/client.ts';
import { useData } from '../api/use-data.ts';
import { count, curlOf, ms } from '../browser/format.ts';
import { go, params, serverPath } from '../browser/router.ts';
import { Button } from '../components/button.tsx';
import { CodeBlock } from '../components/code-block.tsx';
import { Badge, Bar, type Tone } from '../components/facts.tsx';
import { Select } from '../components/fields.tsx';
import { Icon } from '../components/icons.tsx';
import { EmptyState, ErrorNotice, PageHeader, Skeleton } from '../components/states.tsx';
import { ScoreExplanation } from '../server/score-explanation.tsx';

const examples = [
  'send emails and manage my calendar',
  'query a PostgreSQL database',
  'take a screenshot of a web page',
  'create a GitHub issue',
  'look up the weather',
];
const filterNames = ['transport', 'auth', 'category', 'verified'] as const;
type FilterName = (typeof filterNames)[number];

type Found =
  | { readonly state: 'idle' | 'loading' }
  | { readonly state: 'failed'; readonly error: Error }
  | { readonly state: 'ready'; readonly reply: SearchResult; readonly ms: number };

export function SearchPage() {
  const asked = params.value.get('q') ?? '';
  const filters = Object.fromEntries(
    filterNames.flatMap((name) => {
      const value = params.value.get(name);
      return value === null ? [] : [[name, value]];
    }),
  ) as Partial<Record<FilterName, string>>;
  const [text, setText] = useState(asked);
  const [found, setFound] = useState<Found>({ state: 'idle' });
  const [round, setRound] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  const body = bodyOf(asked, filters);
  const wanted = JSON.stringify(body);

  useEffect(() => {
    setText(asked);
    if (asked === '') return setFound({ state: 'idle' });
    const abort = new AbortController();
    setFound((old) => (old.state === 'ready' ? old : { state: 'loading' }));
    search(body, abort.signal).then(
      (answer) => setFound({ state: 'ready', reply: answer.body, ms: answer.ms }),
      (error: Error) => {
        if (!abort.signal.aborted) setFound({ state: 'failed', error });
      },
    );
    return () => abort.abort();
  }, [wanted, round]);
  useSlash(input);

  const ask = (query: string, changed: Partial<Record<FilterName, string>> = {}) => {
    const next = new URLSearchParams();
    if (query !== '') next.set('q', query);
    for (const [name, value] of Object.entries({ ...filters, ...changed })) if (value) next.set(name, value);
    if (next.toString() === params.value.toString()) setRound((n) => n + 1);
    else go(`/?${next}`, { stay: true });
  };

  return (
    <>
      <PageHeader
        title="Search"
        lead="Say what you want done. The best servers come first, and each says why."
      />
      <search>
        <form
          class="search-form"
          onSubmit={(event) => {
            event.preventDefault();
            ask(text.trim());
          }}
        >
          <Icon name="search" />
          <input
            ref={input}
            type="search"
            name="q"
            aria-label="What do you want done?"
            placeholder="What do you want done?"
            autoComplete="off"
            maxLength={1000}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
          <span class="slash" aria-hidden="true">
            /
          </span>
          <Button kind="main" type="submit">
            Search
          </Button>
        </form>
        <Filters filters={filters} change={(changed) => ask(asked, changed)} />
      </search>
      <div aria-live="polite" class="visually-hidden">
        {found.state === 'ready' ? `${count(found.reply.servers.length, 'server')} found` : ''}
      </div>
      {found.state === 'idle' && <Start ask={ask} />}
      {found.state === 'loading' && <Skeleton rows={4} />}
      {found.state === 'failed' && <ErrorNotice error={found.error} retry={() => setRound((n) => n + 1)} />}
      {found.state === 'ready' && (
        <Results
          key={found.reply.metadata.query_log_id}
          reply={found.reply}
          elapsedMs={found.ms}
          body={body}
        />
      )}
    </>
  );
}

/** One query is answered with one result. */
function search(body: SearchRequest, signal?: AbortSignal): Promise<Answer<SearchResult>> {
  const asked = call('POST /v1/search', { body, ...(signal === undefined ? {} : { signal }) });
  return asked as Promise<Answer<SearchResult>>;
}

function bodyOf(
  query: string,
  { transport, auth, category, verified }: Partial<Record<FilterName, string>>,
): SearchRequest {
  // They may come from an address that somebody typed: what the service does not know, it refuses in words.
  const filters = {
    ...(transport === undefined ? {} : { transport: [transport] }),
    ...(auth === undefined ? {} : { auth: [auth] }),
    ...(category === undefined ? {} : { category: [category] }),
    ...(verified === undefined ? {} : { verified: verified === 'yes' }),
  } as SearchFilters;
  return {
    query,
    limit: 20,
    tool_limit: 5,
    explain: true,
    ...(Object.keys(filters).length === 0 ? {} : { filters }),
  };
}

/** `/` leads to the search from wherever one is not typing. */
function useSlash(input: { current: HTMLInputElement | null }): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test((event.target as Element | null)?.tagName ?? '');
      if (event.key !== '/' || typing || event.metaKey || event.ctrlKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [input]);
}

function Filters(props: {
  readonly filters: Partial<Record<FilterName, string>>;
  readonly change: (changed: Partial<Record<FilterName, string>>) => void;
}) {
  const { filters, change } = props;
  const { data } = useData('GET /v1/catalogue');
  const categories = (data?.category ?? []).flatMap(({ name }) => (name === null ? [] : [name]));
  return (
    <div class="filters">
      <Select
        label="Category"
        value={filters.category ?? ''}
        options={[['', 'Any'], ...categories.map((name) => [name, name] as const)]}
        onChange={(category) => change({ category })}
      />
      <Select
        label="Transport"
        value={filters.transport ?? ''}
        options={[
          ['', 'Any'],
          ['streamable-http', 'HTTP'],
          ['sse', 'SSE'],
          ['stdio', 'stdio'],
        ]}
        onChange={(transport) => change({ transport })}
      />
      <Select
        label="Credentials"
        value={filters.auth ?? ''}
        options={[
          ['', 'Any'],
          ['none', 'None'],
          ['oauth2', 'OAuth'],
          ['api_key', 'API key'],
          ['bearer', 'Bearer token'],
        ]}
        onChange={(auth) => change({ auth })}
      />
      <Select
        label="Verified"
        value={filters.verified ?? ''}
        options={[
          ['', 'Any'],
          ['yes', 'Verified'],
          ['no', 'Not verified'],
        ]}
        onChange={(verified) => change({ verified })}
      />
      {Object.keys(filters).length > 0 && (
        <Button
          kind="quiet"
          small
          icon="cross"
          onClick={() => change({ category: '', transport: '', auth: '', verified: '' })}
        >
          Clear
        </Button>
      )}
    </div>
  );
}

function Start({ ask }: { readonly ask: (query: string) => void }) {
  const { data } = useData('GET /v1/catalogue');
  if (data?.servers === 0)
    return (
      <EmptyState icon="catalogue" title="The catalogue is empty">
        Add a server on the <a href="/catalogue">catalogue page</a>, or let it sync from the public registry.
      </EmptyState>
    );
  return (
    <div class="start">
      <section aria-labelledby="try">
        <h2 id="try">Try one of these</h2>
        <ul class="examples">
          {examples.map((each) => (
            <li key={each}>
              <button type="button" onClick={() => ask(each)}>
                <span>{each}</span>
                <Icon name="chevron" />
              </button>
            </li>
          ))}
        </ul>
      </section>
      <section aria-labelledby="how" class="how">
        <h2 id="how">How it works</h2>
        <ol>
          <li>
            <strong>Search</strong>
            <span>
              {data === undefined
                ? 'Words and meaning together, over every server and tool.'
                : `Words and meaning together, over ${count(data.servers, 'server')} and ${count(data.tools, 'tool')}.`}
            </span>
          </li>
          <li>
            <strong>Try</strong>
            <span>Open a server and call a tool from its form; copy the call as curl.</span>
          </li>
          <li>
            <strong>Learn</strong>
            <span>
              Outcomes of calls teach the ranking: what worked for a query rises for the next one like it.
            </span>
          </li>
        </ol>
      </section>
    </div>
  );
}

function Results(props: {
  readonly reply: SearchResult;
  readonly elapsedMs: number;
  readonly body: SearchRequest;
}) {
  const { reply, elapsedMs, body } = props;
  const [showCall, setShowCall] = useState(false);
  const { metadata } = reply;
  const { servers, next, busy, error, more } = useMore(reply, body);
  return (
    <section aria-label="Results">
      <div class="results-head">
        <p>
          <strong>{count(servers.length, 'server')}</strong> of{' '}
          {count(metadata.total_candidates, 'candidate')} · ranked in {ms(metadata.latency_ms)}
          {metadata.cache_hit ? ' (cached)' : ''}, answered in {ms(elapsedMs)}
        </p>
        <Button small kind="quiet" onClick={() => setShowCall(!showCall)} expanded={showCall}>
          {showCall ? 'Hide the call' : 'Show as API call'}
        </Button>
      </div>
      {showCall && <CodeBlock label="This search with curl" text={curlOf('POST', '/v1/search', body)} />}
      {servers.length === 0 && (
        <EmptyState icon="search" title="Nothing fits">
          Say it in other words, or with fewer filters. Queries that found nothing are listed under{' '}
          {may('admin') ? <a href="/activity">Activity</a> : 'Activity'}, so that the operator sees what the
          catalogue lacks.
        </EmptyState>
      )}
      <ol class="hits">
        {servers.map((hit, i) => (
          <HitCard key={hit.id} hit={hit} rank={i + 1} queryLogId={metadata.query_log_id} />
        ))}
      </ol>
      {error !== null && <ErrorNotice error={error} retry={more} />}
      {next !== undefined && (
        <p class="more">
          <Button busy={busy} onClick={more}>
            Show more
          </Button>
        </p>
      )}
    </section>
  );
}

/** The first page of a search, and those that were asked for after it. */
function useMore(reply: SearchResult, body: SearchRequest) {
  const [pages, setPages] = useState<readonly SearchResult[]>([reply]);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const next = pages.at(-1)?.metadata.next_cursor;
  const more = () => {
    setBusy(true);
    setError(null);
    search({ ...body, cursor: next })
      .then((answer) => setPages([...pages, answer.body]), setError)
      .finally(() => setBusy(false));
  };
  return { servers: pages.flatMap(({ servers }) => servers), next, busy, error, more };
}

function HitCard({
  hit,
  rank,
  queryLogId,
}: {
  readonly hit: SearchHit;
  readonly rank: number;
  readonly queryLogId: string;
}) {
  const [open, setOpen] = useState(false);
  const href = `${serverPath(hit.id)}?query=${queryLogId}`;
  const panel = `why-${rank}`;
  return (
    <li class="card hit">
      <span class="rank" aria-hidden="true">
        {rank}
      </span>
      <div class="hit-main">
        <div class="hit-title">
          <h2>
            <a href={href}>{hit.name}</a>
          </h2>
          <Badge tone={hit.match === 'strong' ? 'good' : 'plain'}>{hit.match} match</Badge>
          {hit.connection !== undefined && <ConnectionBadge state={hit.connection} />}
        </div>
        <p class="id">{hit.id}</p>
        <p class="description">{hit.description}</p>
        {hit.tools.length > 0 && (
          <ul class="tools" aria-label="Tools that fit best">
            {hit.tools.slice(0, 4).map((tool) => (
              <li key={tool.name}>
                <a href={`${href}&tool=${encodeURIComponent(tool.name)}`} title={tool.description}>
                  {tool.name}
                </a>
              </li>
            ))}
          </ul>
        )}
        {hit.also_available_from !== undefined && (
          <p class="muted small-text">Also available as {hit.also_available_from.slice(0, 3).join(', ')}</p>
        )}
      </div>
      <div class="hit-score">
        <div class="score" title="final score, 0 to 1">
          <span class="visually-hidden">Score </span>
          {hit.final_score.toFixed(2)}
        </div>
        <Bar share={hit.final_score} />
        <button
          type="button"
          class="button quiet small"
          aria-expanded={open}
          aria-controls={panel}
          onClick={() => setOpen(!open)}
        >
          Why this rank
        </button>
      </div>
      {open && (
        <div class="hit-why" id={panel}>
          <ScoreExplanation hit={hit} rank={rank} />
        </div>
      )}
    </li>
  );
}

const connectionTexts: Readonly<Record<NonNullable<SearchHit['connection']>, readonly [Tone, string]>> = {
  ready: ['good', 'connected'],
  open: ['plain', 'needs no connection'],
  needs_auth: ['warn', 'user must connect'],
  needs_scope: ['warn', 'user must consent to more'],
  unavailable: ['bad', 'cannot be called'],
};

/** How the user stands with the server, for whom was searched. */
function ConnectionBadge({ state }: { readonly state: NonNullable<SearchHit['connection']> }) {
  const [tone, text] = connectionTexts[state];
  return <Badge tone={tone}>{text}</Badge>;
}
