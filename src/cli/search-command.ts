import { createSearchJson, explanationToJson } from '../api/search-json.ts';
import { readHit, type SearchResult } from '../search/search.ts';
import { withServices } from './open-services.ts';
import { print, stripControl, withSpinner } from './output.ts';

const shownTools = 4;
const shownWords = 110;

export async function search(
  query: string,
  options: { readonly limit: number; readonly explain?: true },
  json: boolean,
): Promise<void> {
  const result = await withServices(
    async ({ catalog, search, learning, queryLog }, config) => {
      if (config.starter) await catalog.loadStarter();
      await withSpinner('Building the index', search.start);
      search.setSignals(await catalog.rankingSignals());
      await learning.update();
      const found = await search.find({
        caller: { keyId: 'cli', developerId: 'cli' },
        query,
        limit: options.limit,
        toolLimit: 10,
        filters: {},
        explain: options.explain === true,
        minScore: 0,
      });
      await queryLog.flush();
      return found;
    },
    { mayMakeStore: true },
  );
  print(json, json ? toJson(result) : null, toLines(result));
}

/** What the API answers. */
function toJson(result: SearchResult): unknown {
  return JSON.parse(createSearchJson().render(result).join(''));
}

function toLines({ page: { hits, total, correctedQuery }, latencyMs }: SearchResult): string[] {
  const corrected = correctedQuery === null ? [] : [`Searched for: ${stripControl(correctedQuery)}`];
  if (hits.length === 0) return [...corrected, 'Nothing fits.'];
  const lines = hits.flatMap((hit, i) => {
    const { finalScore, match, explanation } = hit;
    const { id, name, description, tools } = readHit(hit);
    const names = tools.slice(0, shownTools).map((tool) => stripControl(tool.name));
    return [
      `${String(i + 1).padStart(2)}. ${stripControl(name)}  (${stripControl(id)})  ${finalScore.toFixed(2)} ${match}`,
      `    ${stripControl(description).slice(0, shownWords)}`,
      ...(names.length === 0 ? [] : [`    tools: ${names.join(', ')}`]),
      ...(explanation === null ? [] : [`    ${JSON.stringify(explanationToJson(explanation))}`]),
    ];
  });
  return [...corrected, ...lines, `${total} candidates in ${Math.round(latencyMs * 1000) / 1000} ms`];
}
