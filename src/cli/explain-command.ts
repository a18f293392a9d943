import { Problem } from '../base/problem.ts';
import { withServices } from './open-services.ts';
import { print, stripControl, table, withSpinner } from './output.ts';

type Hit = {
  readonly id: string;
  readonly name: string;
  readonly scores: { readonly semantic: number; readonly popularity: number };
  readonly final_score: number;
  readonly match: string;
  readonly explain: {
    readonly relevance: number;
    readonly lexical: number;
    readonly cosine: number;
    readonly popularity_factor: number;
    readonly liveness_factor: number;
    readonly usage: { [part: string]: number } | null;
    readonly outcomes: { [part: string]: number };
  };
};
type Placed = Hit & { readonly rank: number };
type Answer = { readonly servers: readonly Hit[]; readonly metadata: { readonly next_cursor?: string } };

const shownAbove = 5;

export async function explain(
  query: string,
  serverId: string,
  developerId: string | undefined,
  json: boolean,
): Promise<void> {
  const found = await withServices(async ({ catalog, search, learning }, config) => {
    if (config.starter) await catalog.loadStarter();
    await withSpinner('Building the index', search.start);
    search.setFacts(await catalog.facts());
    await learning.update();
    const server = await catalog.get(serverId);
    const hits: Placed[] = [];
    for (let cursor: string | undefined, more = true; more; ) {
      const reply = await search.answer(
        { keyId: 'cli', developerId: developerId ?? 'cli' },
        {
          query,
          limit: 50,
          toolLimit: 0,
          filters: {},
          explain: true,
          minScore: 0,
          ...(cursor === undefined ? {} : { cursor }),
        },
      );
      const { servers, metadata } = JSON.parse(reply.join('')) as Answer;
      hits.push(...servers.map((hit, i) => ({ ...hit, rank: hits.length + i + 1 })));
      cursor = metadata.next_cursor;
      more = cursor !== undefined && !servers.some(({ id }) => id === server.id);
    }
    return { name: server.name, hits };
  });
  const hit = found.hits.find(({ id }) => id === serverId);
  if (hit === undefined)
    throw new Problem(
      'not_found',
      `${stripControl(found.name)} is not among the ${found.hits.length} servers that fit this query at all: it shares no word with it and lies far in meaning`,
    );
  const above = found.hits.slice(0, hit.rank - 1);
  print(json, { query, ...hit, above: above.slice(-shownAbove) }, [
    ...reading(hit),
    ...(above.length === 0 ? [] : ['', 'Above it:', ...compare([...above.slice(-shownAbove), hit])]),
  ]);
}

function reading({ rank, name, id, match, scores, final_score, explain: parts }: Placed): string[] {
  const { usage, outcomes } = parts;
  const { good = 0, bad = 0, prior = 0, posterior = 0, factor = 1, newcomer = 1 } = outcomes;
  return [
    `${stripControl(name)} (${stripControl(id)}) is number ${rank}, a ${match} match, with ${final_score.toFixed(4)}:`,
    `  semantic ${scores.semantic}, from relevance ${parts.relevance} (words ${parts.lexical}, vectors ${parts.cosine})`,
    `  × ${parts.popularity_factor} for a popularity of ${scores.popularity}`,
    ...(parts.liveness_factor === 1
      ? []
      : [`  × ${parts.liveness_factor} because it is not alive, or its tools are worded suspiciously`]),
    `  × ${factor} for its outcomes: ${good} good and ${bad} bad, decayed; expected ${percent(prior)}, now ${percent(posterior)}`,
    ...(newcomer === 1 ? [] : [`  × ${newcomer} as a newcomer beside a server that was tried`]),
    usage === null
      ? '  Nothing was learned of it for a query like this.'
      : `  Learned: ${usage.bonus} on its relevance; the nearest successful query is like this one by ${percent(usage.nearest ?? 0)}, of ${usage.successes} that count; its words ${usage.words}, its middle ${usage.cosine}`,
  ];
}

function compare(hits: readonly Placed[]): string[] {
  return table(
    ['rank', 'id', 'final', 'semantic', 'words', 'vectors', 'learned', 'popularity', 'outcomes'],
    hits.map(({ rank, id, final_score, scores, explain: parts }) =>
      [
        rank,
        stripControl(id),
        final_score,
        scores.semantic,
        parts.lexical,
        parts.cosine,
        parts.usage?.bonus ?? 0,
        parts.popularity_factor,
        parts.outcomes.factor ?? 1,
      ].map(String),
    ),
  );
}

function percent(x: number): string {
  return `${Math.round(100 * x)} %`;
}
