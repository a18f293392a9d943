import { type Static, Type } from 'typebox';
import { Problem } from '../base/problem.ts';
import { type Route, route } from '../http/route.ts';
import type { Search, SearchQuery, Standings } from '../search/search.ts';

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
  standingsOf: (owner: { readonly developerId: string; readonly userId: string }) => Promise<Standings>,
): Route[] {
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
        const asked = body.queries ?? [body];
        const needsUser = user === null && asked.some(({ filters }) => filters?.connected !== undefined);
        if (needsUser)
          throw new Problem('invalid_request', "filters.connected: needs a user's MIT in Authorization");
        const { developerId } = caller;
        const standings = user === null ? undefined : await standingsOf({ developerId, userId: user.userId });
        if (body.queries === undefined) {
          if (body.query === undefined)
            throw new Problem(
              'invalid_request',
              'query: required; expected a string of 1 to 1000 characters',
            );
          return {
            status: 200,
            body: await search.answer(caller, queryOf({ ...body, query: body.query }), standings),
          };
        }
        const beside = Object.keys(body).find((field) => field !== 'queries');
        if (beside !== undefined)
          throw new Problem(
            'invalid_request',
            `${beside}: not together with queries; put it into each of them`,
          );
        await charge(body.queries.length - 1);
        return { status: 200, body: await search.answerBatch(caller, body.queries.map(queryOf), standings) };
      },
    }),
  ];
}

/** Enough to choose from: what stands in a reply is read by a model, word by word. */
const defaultTools = 5;

function queryOf(asked: Static<typeof one>): SearchQuery {
  return {
    query: asked.query,
    limit: asked.limit ?? 10,
    toolLimit: asked.tool_limit ?? defaultTools,
    filters: asked.filters ?? {},
    explain: asked.explain ?? false,
    minScore: asked.min_score ?? 0,
    ...(asked.cursor === undefined ? {} : { cursor: asked.cursor }),
  };
}
