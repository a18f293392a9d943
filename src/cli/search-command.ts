import { createSearchJson, explanationToJson } from '../api/search-json.ts';
import { readHit, type SearchResult } from '../search/search.ts';
import { withRooms } from './open-services.ts';
import { busy, plain, print } from './output.ts';

const shownTools = 4;
const shownWords = 110;

export async function search(
  query: string,
  options: { readonly limit: number; readonly explain?: true },
  json: boolean,
): Promise<void> {
  const result = await withRooms(async ({ catalog, search, learning, queryLog }, config) => {
    if (config.starter) await catalog.loadStarter();
    await busy('Building the index', search.start);
    search.setSignals(await catalog.facts());
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
  });
  print(json, json ? toJson(result) : null, toLines(result));
}

/** What the API answers. */
function toJson(result: SearchResult): unknown {
  return JSON.parse(createSearchJson().render(result).join(''));
}

function toLines({ page: { hits, total }, latencyMs }: SearchResult): string[] {
  if (hits.length === 0) return ['Nothing fits.'];
  const lines = hits.flatMap((hit, i) => {
    const { finalScore, match, explanation } = hit;
    const { id, name, description, tools } = readHit(hit);
    const names = tools.slice(0, shownTools).map((tool) => plain(tool.name));
    return [
      `${String(i + 1).padStart(2)}. ${plain(name)}  (${plain(id)})  ${finalScore.toFixed(2)} ${match}`,
      `    ${plain(description).slice(0, shownWords)}`,
      ...(names.length === 0 ? [] : [`    tools: ${names.join(', ')}`]),
      ...(explanation === null ? [] : [`    ${JSON.stringify(explanationToJson(explanation))}`]),
    ];
  });
  return [...lines, `${total} candidates in ${Math.round(latencyMs * 1000) / 1000} ms`];
}
