/** The search room alone, over servers that a test names. */
import { systemClock } from '../../src/base/clock.ts';
import type { CatalogServer } from '../../src/catalog/catalog.ts';
import {
  createSearch,
  defaultSearchConfig,
  loadBuiltInEmbedder,
  readHit,
  type SearchDeps,
  type SearchRequest,
} from '../../src/search/search.ts';

export function searchedServer(
  id: string,
  description: string,
  more: Partial<CatalogServer> = {},
): CatalogServer {
  return {
    id,
    name: id,
    description,
    remoteUrl: `https://${id}.example/mcp`,
    transport: 'streamable-http',
    authType: null,
    category: null,
    tags: [],
    verified: false,
    popularity: 0,
    tools: [],
    ...more,
  };
}

/** `ask` answers a page, and the ids of its servers and the names of the first one's tools. */
export async function startSearchRoom(servers: readonly CatalogServer[], more: Partial<SearchDeps> = {}) {
  const search = createSearch({
    async *changesSince(revision) {
      if (revision === 0) yield servers.map((server, i) => ({ revision: i + 1, id: server.id, server }));
    },
    embedder: loadBuiltInEmbedder(),
    clock: systemClock,
    newQueryLogId: () => 'id',
    recordQuery() {},
    config: defaultSearchConfig,
    onError(error) {
      throw error;
    },
    ...more,
  });
  await search.start();
  const caller = { keyId: 'key_1', developerId: 'dev_1' };
  const options = { limit: 10, toolLimit: 10, filters: {}, explain: false, minScore: 0 };
  return {
    close: search.close,
    async ask(query: string, more: Partial<SearchRequest> = {}) {
      const { page } = await search.find({ caller, query, ...options, ...more });
      const [first] = page.hits;
      const tools = first === undefined ? [] : readHit(first).tools.map(({ name }) => name);
      return { page, ids: page.serverIds, tools };
    },
  };
}
