import { useState } from 'preact/hooks';
import type { SearchHit, SearchRequest, SearchResult } from '../../../sdk/api.ts';
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
  readonly isDraft: boolean;
}) {
  const { reply, elapsedMs, body } = props;
  const [showCall, setShowCall] = useState(false);
  const { metadata } = reply;
  const { servers, next, busy, error, more } = useMore(reply, body);
  const shown = shownOf(servers);
  const queryLogId = props.isDraft ? null : metadata.query_log_id;
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
      <Hits hits={servers.slice(0, shown)} from={1} queryLogId={queryLogId} />
      {shown < servers.length && (
        <details class="tail">
          <summary>{count(servers.length - shown, 'weaker match').replace('matchs', 'matches')}</summary>
          <Hits hits={servers.slice(shown)} from={shown + 1} queryLogId={queryLogId} />
        </details>
      )}
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

/** Of a search without a strong match, what there is of weak ones. */
const fewWeak = 5;

/** How many are shown at once: a tail of weak matches is folded behind the strong ones. */
function shownOf(hits: readonly SearchHit[]): number {
  const strong = hits.findLastIndex(({ match }) => match === 'strong') + 1;
  return strong === 0 ? Math.min(fewWeak, hits.length) : strong;
}

function Hits(props: {
  readonly hits: readonly SearchHit[];
  readonly from: number;
  readonly queryLogId: string | null;
}) {
  const { hits, from, queryLogId } = props;
  return (
    <ol class="hits" start={from}>
      {hits.map((hit, i) => (
        <HitCard key={hit.id} hit={hit} rank={from + i} queryLogId={queryLogId} />
      ))}
    </ol>
  );
}

/** The first page of a search, and those that were asked for after it. */
function useMore(reply: SearchResult, body: SearchRequest) {
  const [later, setLater] = useState<readonly SearchResult[]>([]);
  const pages = [reply, ...later];
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const next = pages.at(-1)?.metadata.next_cursor;
  const more = () => {
    setBusy(true);
    setError(null);
    search({ ...body, cursor: next })
      .then((answer) => setLater([...later, answer.body]), setError)
      .finally(() => setBusy(false));
  };
  return { servers: pages.flatMap(({ servers }) => servers), next, busy, error, more };
}
