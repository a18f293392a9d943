import { withServices } from './open-services.ts';
import { print, stripControl, withSpinner } from './output.ts';

type Hit = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly tools: readonly { readonly name: string }[];
  readonly scores: { readonly semantic: number; readonly popularity: number };
  readonly final_score: number;
  readonly match: string;
  readonly explain?: unknown;
};
type Answer = {
  readonly servers: readonly Hit[];
  readonly metadata: { readonly latency_ms: number; readonly total_candidates: number };
};

const shownTools = 4;
const shownWords = 110;

export async function search(
  query: string,
  options: { readonly limit: number; readonly explain?: true },
  json: boolean,
): Promise<void> {
  const answer = await withServices(async ({ catalog, search, learning, queryLog }, config) => {
    if (config.starter) await catalog.loadStarter();
    await withSpinner('Building the index', search.start);
    search.setFacts(await catalog.facts());
    await learning.update();
    const reply = await search.answer(
      { keyId: 'cli', developerId: 'cli' },
      {
        query,
        limit: options.limit,
        toolLimit: 10,
        filters: {},
        explain: options.explain === true,
        minScore: 0,
      },
    );
    await queryLog.flush();
    return JSON.parse(reply.join('')) as Answer;
  });
  print(json, answer, lines(answer));
}

function lines({ servers, metadata }: Answer): string[] {
  if (servers.length === 0) return ['Nothing fits.'];
  const hits = servers.flatMap((hit, i) => {
    const tools = hit.tools.slice(0, shownTools).map(({ name }) => stripControl(name));
    return [
      `${String(i + 1).padStart(2)}. ${stripControl(hit.name)}  (${stripControl(hit.id)})  ${hit.final_score.toFixed(2)} ${hit.match}`,
      `    ${stripControl(hit.description).slice(0, shownWords)}`,
      ...(tools.length === 0 ? [] : [`    tools: ${tools.join(', ')}`]),
      ...(hit.explain === undefined ? [] : [`    ${JSON.stringify(hit.explain)}`]),
    ];
  });
  return [...hits, `${metadata.total_candidates} candidates in ${metadata.latency_ms} ms`];
}
