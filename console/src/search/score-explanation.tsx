import type { SearchExplanation, SearchHit } from '../../../sdk/api.ts';
import { count, percent } from '../browser/format.ts';
import { Bar, type Tone } from '../components/facts.tsx';

type Row = {
  readonly name: string;
  readonly share: number;
  readonly value: string;
  readonly note: string;
  readonly tone?: Tone;
};

/** The parts of a score, in the order in which they make it. */
export function ScoreExplanation({ hit, rank }: { readonly hit: SearchHit; readonly rank: number }) {
  const { explain: parts, scores } = hit;
  if (parts === undefined) return <p class="muted">No explanation came with this result.</p>;
  const relevance: Row[] = [
    {
      name: 'Words',
      share: parts.lexical,
      value: parts.lexical.toFixed(2),
      note: 'how much of the query its texts and tools contain',
    },
    {
      name: 'Meaning',
      share: parts.cosine,
      value: parts.cosine.toFixed(2),
      note: 'how near its vectors lie to the query’s',
    },
    ...learnedRow(parts),
    {
      name: 'Relevance',
      share: parts.relevance,
      value: parts.relevance.toFixed(2),
      note:
        rank === 1
          ? 'both together; the best of this search is 1'
          : 'both together, against the best of this search',
    },
  ];
  return (
    <div class="why">
      <div>
        <h3>How well it fits</h3>
        <Rows rows={relevance} />
      </div>
      <div>
        <h3>From fit to score</h3>
        <Rows rows={factors(parts, scores)} />
        <p class="formula">
          <span title="semantic score">{scores.semantic.toFixed(2)}</span>
          {[
            parts.popularity_factor,
            parts.liveness_factor,
            parts.outcomes.factor * parts.outcomes.newcomer,
          ].map((factor, i) => (
            <span key={i}>× {factor.toFixed(2)}</span>
          ))}
          <strong>= {hit.final_score.toFixed(2)}</strong>
        </p>
      </div>
    </div>
  );
}

function learnedRow({ usage }: SearchExplanation): Row[] {
  if (usage === null) return [];
  const { bonus, successes, nearest } = usage;
  return [
    {
      name: 'Learned',
      share: Math.min(1, bonus / 4),
      value: `+${bonus.toFixed(2)}`,
      note: `${count(successes, 'successful query').replace('querys', 'queries')}; the nearest is like this one by ${percent(nearest)}`,
      tone: 'good',
    },
  ];
}

function factors(
  { popularity_factor, liveness_factor, outcomes }: SearchExplanation,
  scores: SearchHit['scores'],
): Row[] {
  const { good, bad, factor, newcomer } = outcomes;
  return [
    {
      name: 'Semantic',
      share: scores.semantic,
      value: scores.semantic.toFixed(2),
      note: 'how sure it is that this answers the query at all',
    },
    {
      name: 'Popularity',
      share: popularity_factor,
      value: `× ${popularity_factor.toFixed(2)}`,
      note: `a popularity of ${scores.popularity.toFixed(2)}; it reorders near-ties`,
    },
    {
      name: 'Liveness',
      share: liveness_factor,
      value: `× ${liveness_factor.toFixed(2)}`,
      note: liveness_factor === 1 ? 'alive, or never looked at' : 'found dead, or worded suspiciously',
      tone: liveness_factor === 1 ? 'accent' : 'bad',
    },
    {
      name: 'Outcomes',
      share: Math.min(1, factor * newcomer),
      value: `× ${(factor * newcomer).toFixed(2)}`,
      note:
        good + bad === 0
          ? 'no recorded outcomes yet'
          : `${good.toFixed(1)} good and ${bad.toFixed(1)} bad, older ones counting less`,
      tone: factor < 1 ? 'warn' : 'accent',
    },
  ];
}

function Rows({ rows }: { readonly rows: readonly Row[] }) {
  return (
    <dl class="why-rows">
      {rows.map(({ name, share, value, note, tone }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <Bar share={share} {...(tone === undefined ? {} : { tone })} />
            <span class="number">{value}</span>
            <span class="says">{note}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}
