import { useState } from 'preact/hooks';
import type { SearchHit } from '../../../sdk/api.ts';
import { queryText } from '../api/client.ts';
import { serverPath } from '../browser/router.ts';
import { Badge, Bar, type Tone } from '../components/facts.tsx';
import { ScoreExplanation } from './score-explanation.tsx';

export function HitCard({
  hit,
  rank,
  queryLogId,
}: {
  readonly hit: SearchHit;
  readonly rank: number;
  /** null of a draft: nothing learns from it. */
  readonly queryLogId: string | null;
}) {
  const [open, setOpen] = useState(false);
  const hrefOf = (query: Readonly<Record<string, string>> = {}) =>
    serverPath(hit.id) + queryText({ ...(queryLogId !== null && { query: queryLogId }), ...query });
  const panel = `why-${rank}`;
  return (
    <li class="card hit">
      <span class="rank" aria-hidden="true">
        {rank}
      </span>
      <div class="hit-main">
        <div class="hit-title">
          <h2>
            <a href={hrefOf()}>{hit.name}</a>
          </h2>
          <Badge tone={hit.match === 'strong' ? 'good' : 'plain'}>{hit.match} match</Badge>
          <ConnectionBadge state={hit.connection} />
        </div>
        <p class="id">{hit.id}</p>
        <p class="description">{hit.description}</p>
        {hit.tools.length > 0 && (
          <ul class="tools" aria-label="Tools that fit best">
            {hit.tools.slice(0, 4).map((tool) => (
              <li key={tool.name}>
                <a href={hrefOf({ tool: tool.name })} title={tool.description}>
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

const connectionTexts: Readonly<Record<SearchHit['connection'], readonly [Tone, string]>> = {
  ready: ['good', 'connected'],
  open: ['plain', 'needs no connection'],
  needs_auth: ['warn', 'user must connect'],
  needs_scope: ['warn', 'user must consent to more'],
  needs_key: ['warn', 'a key is missing'],
  unavailable: ['bad', 'cannot be called'],
};

/** How the caller stands with the server, or the user for whom was searched. */
function ConnectionBadge({ state }: { readonly state: SearchHit['connection'] }) {
  const [tone, text] = connectionTexts[state];
  return <Badge tone={tone}>{text}</Badge>;
}
