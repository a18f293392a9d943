import type { TestContext } from 'node:test';
import type { SearchHit, SearchResult } from '../../sdk/api.ts';
import { createSearchJson } from '../../src/api/search-json.ts';
import type { CatalogChange, CatalogServer } from '../../src/catalog/catalog.ts';
import { createLearning } from '../../src/search/learning/learning.ts';
import type { Outcome } from '../../src/search/learning/learning-model.ts';
import { createSearch, defaultSearchConfig, loadBuiltInEmbedder } from '../../src/search/search.ts';
import { handClock } from './app.ts';
import { searchedServer } from './search-room.ts';

export const embedder = loadBuiltInEmbedder();
const dayMs = 86_400_000;

export function server(id: string, name: string, description: string, popularity = 0.1): CatalogServer {
  const tools = [{ name: 'run', description, inputSchema: '{"type":"object"}' }];
  return searchedServer(id, description, { name, popularity, tools });
}

/** A log in memory, read as the store reads it. */
export function createLog() {
  const rows: Outcome[] = [];
  return {
    rows,
    add: (row: Outcome) => void rows.push(row),
    after: async ({ at, id }: { at: number; id: string }, through: number, limit: number) =>
      rows
        .filter((row) => row.at <= through && (row.at > at || (row.at === at && row.id > id)))
        .sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1))
        .slice(0, limit),
    counts: async (from: number, through: number) => {
      const found = new Map<number, number>();
      for (const { at } of rows) if (at >= from && at <= through) found.set(at, (found.get(at) ?? 0) + 1);
      return [...found].map(([at, rows]) => ({ at, rows }));
    },
  };
}

/** The real search room over a small catalogue and a log that the test writes. */
export async function createWorld(t: TestContext, servers: readonly CatalogServer[]) {
  const clock = handClock();
  const log = createLog();
  const onError = (error: unknown) => {
    throw error;
  };
  const learning = createLearning({ store: log, embedder, clock, onError });
  const search = createSearch({
    async *changesSince(revision): AsyncGenerator<readonly CatalogChange[]> {
      if (revision < servers.length)
        yield servers.map((one, i) => ({ revision: i + 1, id: one.id, server: one }));
    },
    embedder,
    clock,
    newQueryLogId: () => 'ql',
    recordQuery: () => undefined,
    usageModelFor: learning.modelFor,
    config: defaultSearchConfig,
    onError,
  });
  t.after(() => search.close());
  await search.start();
  const json = createSearchJson();
  let calls = 0;
  return {
    log,
    nextDay: () => clock.advance(dayMs),
    /** What a developer is shown; everything but the time it took. */
    async ask(developerId: string, query: string): Promise<readonly SearchHit[]> {
      const asked = { query, limit: 10, toolLimit: 1, filters: {}, explain: true, minScore: 0 };
      const result = await search.find({ caller: { keyId: 'key', developerId }, ...asked });
      return (JSON.parse(json.render(result).join('')) as SearchResult).servers;
    },
    /** One call after a search, read by the search room at once. */
    async call(
      developerId: string,
      query: string,
      serverId: string,
      success: boolean,
      more: Partial<Outcome> = {},
    ) {
      clock.advance(1_000);
      const id = `inv_${String(++calls).padStart(6, '0')}`;
      const fixed = { toolName: 'run', errorType: success ? null : 'server', rank: 1 };
      log.add({ id, at: clock.now(), developerId, serverId, success, query, ...fixed, ...more });
      await learning.update();
    },
  };
}
