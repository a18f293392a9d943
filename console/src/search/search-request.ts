import type { SearchFilters, SearchRequest, SearchResult } from '../../../sdk/api.ts';
import { type Answer, call } from '../api/client.ts';

export const filterNames = ['transport', 'auth', 'category', 'verified'] as const;
export type FilterName = (typeof filterNames)[number];
export type Filters = Readonly<Partial<Record<FilterName, string>>>;

/** One query is answered with one result. */
export function search(body: SearchRequest, signal?: AbortSignal): Promise<Answer<SearchResult>> {
  const asked = call('POST /v1/search', { body, ...(signal === undefined ? {} : { signal }) });
  return asked as Promise<Answer<SearchResult>>;
}

export function requestOf(query: string, { transport, auth, category, verified }: Filters): SearchRequest {
  // They may come from an address that somebody typed: what the service does not know, it refuses in words.
  const filters = {
    ...(transport === undefined ? {} : { transport: [transport] }),
    ...(auth === undefined ? {} : { auth: [auth] }),
    ...(category === undefined ? {} : { category: [category] }),
    ...(verified === undefined ? {} : { verified: verified === 'yes' }),
  } as SearchFilters;
  return {
    query,
    limit: 20,
    tool_limit: 5,
    explain: true,
    ...(Object.keys(filters).length === 0 ? {} : { filters }),
  };
}
