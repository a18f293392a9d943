import { type Static, Type } from 'typebox';
import type { Principal } from '../access/access.ts';
import { Problem } from '../base/problem.ts';
import { type Route, route } from '../http/route.ts';
import type { ConnectionLookup, Search, SearchRequest, SearchView } from '../search/search.ts';
import { createSearchJson } from './search-json.ts';

const filters = Type.Object(
  {
    transport: Type.Optional(
      Type.Array(Type.Enum(['streamable-http', 'sse', 'stdio']), { minItems: 1, maxItems: 3 }),
    ),
    auth: Type.Optional(
      Type.Array(Type.Enum(['none', 'api_key', 'bearer', 'oauth2']), { minItems: 1, maxItems: 4 }),
    ),
    category: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 100 }), { minItems: 1, maxItems: 50 }),
    ),
    verified: Type.Optional(Type.Boolean()),
    connected: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);

const options = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 50 })),
  tool_limit: Type.Optional(Type.Integer({ minimum: 0, maximum: 50 })),
  filters: Type.Optional(filters),
  min_score: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  explain: Type.Optional(Type.Boolean()),
};
const text = Type.String({ minLength: 1, maxLength: 1000 });
const cursor = Type.Optional(Type.String({ minLength: 1, maxLength: 500 }));
const one = Type.Object({ query: text, ...options, cursor }, { additionalProperties: false });
const body = Type.Object(
  {
    query: Type.Optional(text),
    ...options,
    cursor,
    queries: Type.Optional(Type.Array(one, { minItems: 1, maxItems: 20 })),
  },
  { additionalProperties: false },
);

const score = Type.Number({ minimum: 0, maximum: 1 });
const result = Type.Object({
  servers: Type.Array(
    Type.Object({
      id: Type.String(),
      name: Type.String(),
      description: Type.String(),
      remote_url: Type.Union([Type.String(), Type.Null()]),
      tools: Type.Array(
        Type.Object({ name: Type.String(), description: Type.String(), input_schema: Type.Object({}) }),
      ),
      scores: Type.Object({ semantic: score, popularity: score }),
      final_score: score,
      match: Type.Enum(['strong', 'weak']),
      connection: Type.Optional(Type.Enum(['ready', 'needs_auth', 'needs_scope', 'open', 'unavailable'])),
      also_available_from: Type.Optional(Type.Array(Type.String())),
      explain: Type.Optional(Type.Object({})),
    }),
  ),
  metadata: Type.Object({
    latency_ms: Type.Number(),
    cache_hit: Type.Boolean(),
    total_candidates: Type.Integer(),
    query_log_id: Type.String(),
    next_cursor: Type.Optional(Type.String()),
  }),
});

export function searchRoutes(
  search: Search,
  viewFor: (caller: Principal) => SearchView | null,
  connectionsOf: (owner: {
    readonly developerId: string;
    readonly userId: string;
  }) => Promise<ConnectionLookup>,
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
      body,
      reply: Type.Union([result, Type.Object({ results: Type.Array(result) })]),
      handle: async ({ body, caller, charge, user }) => {
        const needsUser = (body.queries ?? [body]).some(({ filters }) => filters?.connected !== undefined);
        if (needsUser && user === null)
          throw new Problem('invalid_request', "filters.connected: needs a user's MIT in Authorization");
        const { developerId } = caller;
        const connectionOf =
          user === null ? undefined : await connectionsOf({ developerId, userId: user.userId });
        const view = viewFor(caller);
        const find = (query: Query) => search.find({ ...toRequest(query, caller, connectionOf), view });
        const { queries } = body;
        if (queries === undefined) return { status: 200, body: json.render(await find(toQuery(body))) };
        refuseBeside(body);
        await charge(queries.length - 1);
        return { status: 200, body: json.renderBatch(await Promise.all(queries.map(find))) };
      },
    }),
  ];
}

type Query = Static<typeof one>;

function toQuery({ query, ...options }: Static<typeof body>): Query {
  if (query !== undefined) return { query, ...options };
  throw new Problem('invalid_request', 'query: required; expected a string of 1 to 1000 characters');
}

function refuseBeside(batch: Static<typeof body>): void {
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
    min_score = 0,
    cursor,
  }: Query,
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
    cursor,
    connectionOf,
  };
}
