import { createSearchJson } from '../api/search-json.ts';
import { Problem } from '../base/problem.ts';
import {
  type HitExplanation,
  readHit,
  type Search,
  type SearchHit,
  type SearchResult,
} from '../search/search.ts';
import { withServices } from './open-services.ts';
import { print, stripControl, table, withSpinner } from './output.ts';

type RankedHit = SearchHit & { readonly rank: number };

const shownAbove = 5;

export async function explain(
  query: string,
  serverId: string,
  developerId: string | undefined,
  json: boolean,
): Promise<void> {
  const { name, results } = await withServices(async ({ catalog, search, learning }, config) => {
    if (config.starter) await catalog.loadStarter();
    await withSpinner('Building the index', search.start);
    search.setSignals(await catalog.rankingSignals());
    await learning.update();
    const server = await catalog.get(serverId);
    const caller = { keyId: 'cli', developerId: developerId ?? 'cli' };
    return { name: server.name, results: await findThrough(search, server.id, { caller, query }) };
  });
  const hits = results.flatMap(({ page }) =>
    page.hits.map((hit, i): RankedHit => ({ ...hit, rank: page.firstRank + i })),
  );
  const hit = hits.find((one) => one.serverId === serverId);
  if (hit === undefined)
    throw new Problem(
      'not_found',
      `${stripControl(name)} is not among the ${hits.length} servers that fit this query at all: it shares no word with it and lies far in meaning`,
    );
  const above = hits.slice(0, hit.rank - 1).slice(-shownAbove);
  print(json, json ? toJson(query, results, [...above, hit]) : null, [
    ...reading(hit),
    ...(above.length === 0 ? [] : ['', 'Above it:', ...compare([...above, hit])]),
  ]);
}

/** Page by page, until the server is among the hits or there are no more. */
async function findThrough(
  search: Search,
  serverId: string,
  asked: Pick<Parameters<Search['find']>[0], 'caller' | 'query'>,
): Promise<SearchResult[]> {
  const options = { limit: 50, toolLimit: 0, filters: {}, explain: true, minScore: 0 };
  const results: SearchResult[] = [];
  let cursor: string | null | undefined;
  while (cursor !== null) {
    const result = await search.find({ ...asked, ...options, cursor });
    results.push(result);
    cursor = result.page.serverIds.includes(serverId) ? null : result.page.nextCursor;
  }
  return results;
}

/** The last of these hits as the API shows it, with its rank and the others above it. */
function toJson(query: string, results: readonly SearchResult[], shown: readonly RankedHit[]): object {
  const { render } = createSearchJson();
  const pages = results.map((result) => JSON.parse(render(result).join('')) as { servers: object[] });
  const servers = pages.flatMap((page) => page.servers);
  const [hit, ...above] = shown.toReversed().map(({ rank }) => ({ ...servers[rank - 1], rank }));
  return { query, ...hit, above: above.toReversed() };
}

function reading(hit: RankedHit): string[] {
  const { rank, match, explanation, semantic, popularity, finalScore } = hit;
  if (explanation === null) return [];
  const { id, name } = readHit(hit);
  const { usage, outcomes, popularityFactor, livenessFactor } = explanation;
  const { good, bad, prior, posterior, factor, explorationBonus } = outcomes;
  const { relevance, lexical, cosine } = explanation;
  return [
    `${stripControl(name)} (${stripControl(id)}) is number ${rank}, a ${match} match, with ${finalScore.toFixed(4)}:`,
    `  semantic ${semantic}, from relevance ${relevance} (words ${lexical}, vectors ${cosine})`,
    `  × ${popularityFactor} for a popularity of ${popularity}`,
    ...(livenessFactor === 1
      ? []
      : [`  × ${livenessFactor} because it is not alive, or its tools are worded suspiciously`]),
    `  × ${factor} for its outcomes: ${good} good and ${bad} bad, decayed; expected ${percent(prior)}, now ${percent(posterior)}`,
    ...(explorationBonus === 1
      ? []
      : [`  × ${explorationBonus} as a newcomer beside a server that was tried`]),
    usageLine(usage),
  ];
}

function usageLine(usage: HitExplanation['usage']): string {
  if (usage === null) return '  Nothing was learned of it for a query like this.';
  const { bonus, nearest, successes, words, cosine } = usage;
  return `  Learned: ${bonus} on its relevance; the nearest successful query is like this one by ${percent(nearest)}, of ${successes} that count; its words ${words}, its middle ${cosine}`;
}

function compare(hits: readonly RankedHit[]): string[] {
  return table(
    ['rank', 'id', 'final', 'semantic', 'words', 'vectors', 'learned', 'popularity', 'outcomes'],
    hits.map(({ rank, serverId, finalScore, semantic, explanation }) =>
      [
        ...[rank, stripControl(serverId), finalScore, semantic],
        ...[explanation?.lexical, explanation?.cosine, explanation?.usage?.bonus ?? 0],
        ...[explanation?.popularityFactor, explanation?.outcomes.factor],
      ].map(String),
    ),
  );
}

function percent(x: number): string {
  return `${Math.round(100 * x)} %`;
}
