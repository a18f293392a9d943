import { Type } from 'typebox';
import type { Principal } from '../access/access.ts';
import { Problem } from '../base/problem.ts';
import { type Route, route } from '../http/route.ts';
import type { ConnectionLookup, OwnTools, Search, SearchRequest, SearchView } from '../search/search.ts';
import { accountIn } from './account-header.ts';
import { createSearchJson } from './search-json.ts';
import {
  type SearchQuery,
  type SearchRequestBody,
  searchRequestSchema,
  searchResultSchema,
  searchResultsSchema,
} from './search-schemas.ts';

export function searchRoutes(
  search: Search,
  {
    viewFor,
    connectionsOf,
    ownTools,
  }: {
    readonly viewFor: (caller: Principal) => SearchView | null;
    readonly connectionsOf: (caller: OfUser) => Promise<ConnectionLookup>;
    /** What servers list for the user alone. */
    readonly ownTools: (caller: OfUser) => Promise<OwnTools | undefined>;
  },
): Route[] {
  const json = createSearchJson();
  return [
    route({
      method: 'POST',
      url: '/v1/search',
      summary:
        'Semantic search for MCP servers and their tools; `queries` asks several at once and answers `{results: […]}`',
      scope: 'search',
      user: 'optional',
      body: searchRequestSchema,
      reply: Type.Union([searchResultSchema, searchResultsSchema]),
      handle: async ({ body, caller, charge, user, headers }) => {
        const needsUser = (body.queries ?? [body]).some(({ filters }) => filters?.connected !== undefined);
        if (needsUser && user === null)
          throw new Problem('invalid_request', "filters.connected: needs a user's MIT in Authorization");
        const account = accountIn(headers, user);
        const asking = { ...caller, userId: user?.userId, account };
        const connectionOf = await connectionsOf(asking);
        const own = user === null ? undefined : await ownTools(asking);
        const find = (query: SearchQuery) => {
          const request = toRequest(query, caller, connectionOf);
          // What is seen is asked last: the index may have changed while the rest was read.
          return search.find({ ...request, account, view: viewFor(caller), own });
        };
        const { queries } = body;
        if (queries === undefined) return { status: 200, body: json.render(await find(toQuery(body))) };
        refuseBeside(body);
        await charge(queries.length - 1);
        return { status: 200, body: json.renderBatch(await Promise.all(queries.map(find))) };
      },
    }),
  ];
}

/** Who searches, and by which of their accounts they would call. */
type OfUser = Principal & { readonly userId: string | undefined; readonly account: string | undefined };

function toQuery({ query, ...options }: SearchRequestBody): SearchQuery {
  if (query !== undefined) return { query, ...options };
  throw new Problem('invalid_request', 'query: required; expected a string of 1 to 1000 characters');
}

function refuseBeside(batch: SearchRequestBody): void {
  const beside = Object.keys(batch).find((field) => field !== 'queries');
  if (beside !== undefined)
    throw new Problem('invalid_request', `${beside}: not together with queries; put it into each of them`);
}

/** Enough to choose from: what stands in a reply is read by a model, word by word. */
const defaultTools = 5;

function toRequest(
  {
    query,
    limit = 10,
    tool_limit = defaultTools,
    filters = {},
    explain = false,
    spelling = true,
    draft = false,
    min_score = 0,
    cursor,
  }: SearchQuery,
  caller: SearchRequest['caller'],
  connectionOf: ConnectionLookup | undefined,
): SearchRequest {
  return {
    caller,
    query,
    limit,
    toolLimit: tool_limit,
    filters,
    minScore: min_score,
    explain,
    spelling,
    isDraft: draft,
    cursor,
    connectionOf,
  };
}
