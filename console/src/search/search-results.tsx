import { useState } from 'preact/hooks';
import type { SearchRequest, SearchResult } from '../../../sdk/api.ts';
import { may } from '../api/client.ts';
import { count, curlOf, ms } from '../browser/format.ts';
import { Button } from '../components/button.tsx';
import { CodeBlock } from '../components/code-block.tsx';
import { EmptyState, ErrorNotice } from '../components/states.tsx';
import { HitCard } from './hit-card.tsx';
import { search } from './search-request.ts';

export function SearchResults(props: {
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
      {metadata.corrected_query !== undefined && (
        <p>
          Searched for <strong>{metadata.corrected_query}</strong>
        </p>
      )}
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
