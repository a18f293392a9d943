import { type Static, Type } from 'typebox';
import { strict, text, textOrNull } from './field-schemas.ts';
import { toolSchema } from './server-schemas.ts';

const filtersSchema = Type.Object(
  {
    transport: Type.Optional(
      Type.Array(Type.Enum(['streamable-http', 'sse', 'stdio']), { minItems: 1, maxItems: 3 }),
    ),
    auth: Type.Optional(
      Type.Array(Type.Enum(['none', 'api_key', 'bearer', 'oauth2']), { minItems: 1, maxItems: 4 }),
    ),
    category: Type.Optional(Type.Array(text(100), { minItems: 1, maxItems: 50 })),
    verified: Type.Optional(Type.Boolean()),
    connected: Type.Optional(Type.Boolean()),
    callable: Type.Optional(
      Type.Boolean({
        description:
          'whether it can be called from here by anybody; a program that no configuration starts cannot',
      }),
    ),
  },
  { ...strict, $id: 'SearchFilters' },
);
const options = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 50 })),
  tool_limit: Type.Optional(Type.Integer({ minimum: 0, maximum: 50 })),
  filters: Type.Optional(filtersSchema),
  min_score: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  explain: Type.Optional(Type.Boolean()),
  spelling: Type.Optional(
    Type.Boolean({ description: 'false: misspelled words are searched as they are', default: true }),
  ),
  draft: Type.Optional(
    Type.Boolean({
      description: 'true: still being typed. It is answered and not kept: its query_log_id names nothing',
      default: false,
    }),
  ),
  cursor: Type.Optional(text(500)),
};
const querySchema = Type.Object({ query: text(1000), ...options }, { ...strict, $id: 'SearchQuery' });
export type SearchQuery = Static<typeof querySchema>;

/** One query, or several in `queries`. */
export const searchRequestSchema = Type.Object(
  {
    query: Type.Optional(text(1000)),
    ...options,
    queries: Type.Optional(Type.Array(querySchema, { minItems: 1, maxItems: 20 })),
  },
  { ...strict, $id: 'SearchRequest' },
);
export type SearchRequestBody = Static<typeof searchRequestSchema>;

const share = Type.Number({ minimum: 0, maximum: 1 });
const numbers = <K extends string>(...names: readonly K[]) =>
  Object.fromEntries(names.map((name) => [name, Type.Number()])) as Record<K, ReturnType<typeof Type.Number>>;

/** Every part of a score (docs/search.md). */
const explanationSchema = Type.Object(
  {
    query: Type.String({ description: 'the query in the words that were searched' }),
    ...numbers('relevance', 'lexical', 'cosine'),
    evidence: Type.Record(Type.String(), Type.Number()),
    ...numbers('popularity_factor', 'liveness_factor'),
    usage: Type.Union([
      Type.Object(numbers('bonus', 'nearest', 'sure', 'words', 'cosine', 'successes')),
      Type.Null(),
    ]),
    outcomes: Type.Object(numbers('good', 'bad', 'prior', 'posterior', 'factor', 'newcomer')),
  },
  { $id: 'SearchExplanation' },
);
const hitSchema = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    description: Type.String(),
    remote_url: textOrNull,
    tools: Type.Array(toolSchema),
    scores: Type.Object({ semantic: share, popularity: share }),
    final_score: share,
    match: Type.Enum(['strong', 'weak']),
    connection: Type.Enum(['ready', 'open', 'needs_auth', 'needs_scope', 'needs_key', 'unavailable'], {
      description: 'how the caller (with a MIT: the user) stands with it',
    }),
    connect: Type.Optional(Type.String({ description: 'what to do where something is missing' })),
    also_available_from: Type.Optional(Type.Array(Type.String())),
    explain: Type.Optional(explanationSchema),
  },
  { $id: 'SearchHit' },
);
export const searchResultSchema = Type.Object(
  {
    servers: Type.Array(hitSchema),
    metadata: Type.Object({
      latency_ms: Type.Number(),
      cache_hit: Type.Boolean(),
      total_candidates: Type.Integer(),
      query_log_id: Type.String({ format: 'uuid' }),
      next_cursor: Type.Optional(Type.String()),
      corrected_query: Type.Optional(
        Type.String({ description: 'what was searched in place of a query with misspelled words' }),
      ),
    }),
  },
  { $id: 'SearchResult' },
);
export const searchResultsSchema = Type.Object(
  { results: Type.Array(searchResultSchema) },
  { $id: 'SearchResults' },
);
