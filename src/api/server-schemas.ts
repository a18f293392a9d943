import { Type } from 'typebox';
import { anything, orNull, textOrNull, time } from './field-schemas.ts';

const basicFields = {
  id: Type.String(),
  name: Type.String(),
  description: Type.String(),
  remote_url: textOrNull,
  auth_required: Type.Boolean(),
  auth_type: textOrNull,
};
export const serverFields = {
  ...basicFields,
  transport: Type.Enum(['streamable-http', 'sse', 'stdio']),
  category: textOrNull,
  tags: Type.Array(Type.String()),
  verified: Type.Boolean(),
  repository_url: textOrNull,
  version: textOrNull,
  source: Type.String(),
  updated_at: time,
};
const state = Type.Enum(['up', 'auth', 'not_mcp', 'down'], {
  $id: 'HealthState',
  description: 'auth: alive, and wants credentials',
});
const msOrNull = orNull(Type.Number());

export const serverBasicsSchema = Type.Object(basicFields, { $id: 'ServerBasics' });

export const toolSchema = Type.Object(
  { name: Type.String(), description: Type.String(), input_schema: anything },
  { $id: 'Tool' },
);

/** What probes of a server showed. */
export const healthSchema = Type.Object(
  {
    state,
    era: Type.Union([Type.String(), Type.Null()], {
      description: 'modern (2026-07-28), session (initialize), sse (HTTP+SSE) or stdio',
    }),
    auth: textOrNull,
    latency_ms: msOrNull,
    reason: textOrNull,
    failures: Type.Integer({ description: 'looks in a row that found it not alive' }),
    uptime: Type.Number({ description: 'share of all looks that found it alive, 0..1' }),
    checks: Type.Integer(),
    fingerprint: textOrNull,
    suspicions: Type.Array(
      Type.Object({
        tool: Type.String(),
        kinds: Type.Array(Type.Enum(['hidden_unicode', 'imperative', 'shadowed_name'])),
      }),
    ),
    since: time,
    checked_at: time,
  },
  { $id: 'Health' },
);

const listedServerSchema = Type.Object(
  {
    ...serverFields,
    tool_count: Type.Integer(),
    popularity: Type.Number({ minimum: 0, maximum: 1 }),
    state: Type.Union([state, Type.Null()], {
      description: 'what the last look showed; null before the first',
    }),
  },
  { $id: 'ListedServer' },
);
export const serverPageSchema = Type.Object(
  {
    servers: Type.Array(listedServerSchema),
    metadata: Type.Object({ next_cursor: Type.Optional(Type.String()), count: Type.Integer() }),
  },
  { $id: 'ServerPage' },
);

/** What each user brings: header fields and parts of the URL, with `{name}` where a value of theirs goes. */
const userCredentialsSchema = Type.Object(
  {
    headers: Type.Record(Type.String(), Type.String()),
    variables: Type.Record(
      Type.String(),
      Type.Object({
        description: Type.String(),
        required: Type.Boolean(),
        secret: Type.Boolean(),
        default: textOrNull,
        choices: Type.Array(Type.String()),
      }),
    ),
  },
  { $id: 'UserCredentials' },
);

/** `health` is null before the first probe. */
export const serverSchema = Type.Object(
  {
    ...serverFields,
    user_credentials: orNull(userCredentialsSchema),
    health: orNull(healthSchema),
    tools: Type.Array(toolSchema),
  },
  { $id: 'Server' },
);

export const serverHistorySchema = Type.Object(
  {
    health: orNull(healthSchema),
    looks: Type.Array(Type.Object({ at: time, state, latency_ms: msOrNull }, { $id: 'HealthCheck' })),
    drift: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          at: time,
          kind: Type.Enum(['appeared', 'vanished', 'description', 'schema', 'destructive']),
          tool: Type.String(),
          before: textOrNull,
          after: textOrNull,
        },
        { $id: 'ToolDrift' },
      ),
    ),
  },
  { $id: 'ServerHistory' },
);

const facetSchema = Type.Array(Type.Object({ name: textOrNull, servers: Type.Integer() }), { $id: 'Facet' });
export const catalogSizeSchema = Type.Object(
  {
    servers: Type.Integer(),
    tools: Type.Integer(),
    category: facetSchema,
    transport: facetSchema,
    auth: facetSchema,
    source: facetSchema,
  },
  { $id: 'CatalogSize' },
);
