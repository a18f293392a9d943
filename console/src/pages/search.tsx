import { useEffect, useRef, useState } from 'preact/hooks';
import type { SearchRequest, SearchResult } from '../../../sdk/api.ts';
import { useData } from '../api/use-data.ts';
import { count } from '../browser/format.ts';
import { navigate, params } from '../browser/router.ts';
import { Icon } from '../components/icons.tsx';
import { EmptyState, ErrorNotice, PageHeader, Skeleton } from '../components/states.tsx';
import { SearchFilters } from '../search/search-filters.tsx';
import { SearchForm } from '../search/search-form.tsx';
import { type Filters, filterNames, requestOf, search } from '../search/search-request.ts';
import { SearchResults } from '../search/search-results.tsx';

const examples = [
  'send emails and manage my calendar',
  'query a PostgreSQL database',
  'take a screenshot of a web page',
  'create a GitHub issue',
  'look up the weather',
];

type Found =
  | { readonly state: 'idle' | 'loading' }
  | { readonly state: 'failed'; readonly error: Error }
  | {
      readonly state: 'ready';
      readonly body: SearchRequest;
      readonly reply: SearchResult;
      readonly ms: number;
    };
type Asked = { readonly isTyping?: boolean; readonly changed?: Filters };

/** A draft that stood for so long was meant. */
const meantMs = 1_500;

/** What a search answers; one that is still typed is a draft, which the service does not keep. */
function useSearch(body: SearchRequest) {
  const [found, setFound] = useState<Found>({ state: 'idle' });
  const [isDraft, setDraft] = useState(false);
  const [round, setRound] = useState(0);
  /** It was taken for meant before it was said to be: then it was searched for once. */
  const wasMeant = useRef(false);
  const wanted = JSON.stringify(body);
  useEffect(() => {
    if (body.query === '') return setFound({ state: 'idle' });
    const abort = new AbortController();
    let meant: ReturnType<typeof setTimeout> | undefined;
    setFound((old) => (old.state === 'ready' ? old : { state: 'loading' }));
    search(isDraft ? { ...body, draft: true } : body, abort.signal).then(
      (answer) => {
        setFound({ state: 'ready', body, reply: answer.body, ms: answer.ms });
        if (!isDraft) return;
        meant = setTimeout(() => {
          wasMeant.current = true;
          setDraft(false);
        }, meantMs);
      },
      (error: Error) => {
        if (!abort.signal.aborted) setFound({ state: 'failed', error });
      },
    );
    return () => {
      clearTimeout(meant);
      abort.abort();
    };
  }, [wanted, round, isDraft]);
  return {
    found,
    isDraft,
    hear(isTyping: boolean) {
      if (isTyping) wasMeant.current = false;
      setDraft(isTyping);
    },
    again() {
      if (wasMeant.current) wasMeant.current = false;
      else if (!isDraft) setRound((n) => n + 1);
    },
  };
}

export function SearchPage() {
  const asked = params.value.get('q') ?? '';
  const filters = Object.fromEntries(
    filterNames.flatMap((name) => {
      const value = params.value.get(name);
      return value === null ? [] : [[name, value]];
    }),
  ) as Filters;
  const body = requestOf(asked, filters);
  const { found, isDraft, hear, again } = useSearch(body);

  const ask = (query: string, { isTyping = false, changed = {} }: Asked = {}) => {
    const next = new URLSearchParams();
    if (query !== '') next.set('q', query);
    for (const [name, value] of Object.entries({ ...filters, ...changed })) if (value) next.set(name, value);
    hear(isTyping);
    if (next.toString() === params.value.toString()) return isTyping ? undefined : again();
    // What is typed is one step back, not one for every letter.
    navigate(`/?${next}`, { stay: true, replace: isTyping && asked !== '' });
  };

  return (
    <>
      <PageHeader
        title="Search"
        lead="Say what you want done. The best servers come first, and each says why."
      />
      <search>
        <SearchForm asked={asked} ask={ask} onTyped={(query) => ask(query, { isTyping: true })} />
        <SearchFilters filters={filters} change={(changed) => ask(asked, { changed })} />
      </search>
      <div aria-live="polite" class="visually-hidden">
        {found.state === 'ready' && !isDraft ? `${count(found.reply.servers.length, 'server')} found` : ''}
      </div>
      {found.state === 'idle' && <Start ask={ask} />}
      {found.state === 'loading' && <Skeleton rows={4} />}
      {found.state === 'failed' && <ErrorNotice error={found.error} retry={again} />}
      {found.state === 'ready' && (
        <SearchResults
          key={JSON.stringify(found.body)}
          reply={found.reply}
          elapsedMs={found.ms}
          body={found.body}
          isDraft={isDraft}
        />
      )}
    </>
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
