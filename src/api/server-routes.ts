import { Type } from 'typebox';
import type { Principal } from '../access/access.ts';
import type { Catalog, Health, ServerRecord } from '../catalog/catalog.ts';
import { json, type Route, route } from '../http/route.ts';
import type { Gate } from './gate.ts';

const id = Type.String({ minLength: 1, maxLength: 200 });
const optionalText = Type.Union([Type.String(), Type.Null()]);
export const documentedServerSchema = {
  id: Type.String(),
  name: Type.String(),
  description: Type.String(),
  remote_url: optionalText,
  auth_required: Type.Boolean(),
  auth_type: optionalText,
};
const server = Type.Object({
  ...documentedServerSchema,
  transport: Type.String(),
  category: optionalText,
  tags: Type.Array(Type.String()),
  verified: Type.Boolean(),
  repository_url: optionalText,
  version: optionalText,
  source: Type.String(),
  updated_at: Type.String(),
});
const listed = Type.Object({
  ...server.properties,
  tool_count: Type.Integer(),
  popularity: Type.Number({ minimum: 0, maximum: 1 }),
  state: Type.Union([Type.String(), Type.Null()], {
    description: 'what the last look showed; null before the first',
  }),
});
const facet = Type.Array(
  Type.Object({ name: Type.Union([Type.String(), Type.Null()]), servers: Type.Integer() }),
);
const tools = Type.Array(
  Type.Object({ name: Type.String(), description: Type.String(), input_schema: Type.Object({}) }),
);

/** What looks at a server showed; null before the first one. */
export const healthSchema = Type.Object({
  state: Type.String({ description: 'up, auth (alive, wants credentials), not_mcp or down' }),
  era: optionalText,
  auth: optionalText,
  latency_ms: Type.Union([Type.Number(), Type.Null()]),
  reason: optionalText,
  failures: Type.Integer({ description: 'looks in a row that found it not alive' }),
  uptime: Type.Number({ description: 'share of all looks that found it alive, 0..1' }),
  checks: Type.Integer(),
  fingerprint: optionalText,
  suspicions: Type.Array(Type.Object({ tool: Type.String(), kinds: Type.Array(Type.String()) })),
  since: Type.String(),
  checked_at: Type.String(),
});
const optionalHealth = Type.Union([healthSchema, Type.Null()]);
const look = Type.Object({
  at: Type.String(),
  state: Type.String(),
  latency_ms: Type.Union([Type.Number(), Type.Null()]),
});
const drift = Type.Object({
  id: Type.String(),
  at: Type.String(),
  kind: Type.String({ description: 'appeared, vanished, description, schema or destructive' }),
  tool: Type.String(),
  before: optionalText,
  after: optionalText,
});

const page = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
    text: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'part of an id, a name or a description' }),
    ),
    transport: Type.Optional(Type.Enum(['streamable-http', 'sse', 'stdio'])),
    auth: Type.Optional(Type.Enum(['none', 'api_key', 'bearer', 'oauth2'])),
    category: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    verified: Type.Optional(Type.Boolean()),
    source: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  },
  { additionalProperties: false },
);

/** The catalogue page by page, for whoever has the scope. */
export function browseRoute(
  { health }: Pick<Catalog, 'health'>,
  listFor: (caller: Principal) => Pick<Catalog, 'list'>,
  declared: Pick<Route, 'url' | 'summary' | 'scope'>,
): Route {
  return route({
    method: 'GET',
    ...declared,
    query: page,
    reply: Type.Object({
      servers: Type.Array(listed),
      metadata: Type.Object({ next_cursor: Type.Optional(Type.String()), count: Type.Integer() }),
    }),
    handle: async ({ query: { limit = 50, cursor, ...filters }, caller }) => {
      const { servers, nextCursor } = await listFor(caller).list({
        limit,
        filters,
        ...(cursor === undefined ? {} : { cursor }),
      });
      const states = await health.findAll(servers.map(({ id }) => id));
      const next = nextCursor === undefined ? {} : { next_cursor: nextCursor };
      return json({
        servers: servers.map((record) => ({
          ...describeServer(record),
          tool_count: record.tools.length,
          popularity: Math.round(record.popularity * 10_000) / 10_000,
          state: states.get(record.id)?.state ?? null,
        })),
        metadata: { ...next, count: servers.length },
      });
    },
  });
}

export function serverRoutes(catalog: Catalog, { catalogFor }: Gate): Route[] {
  return [
    browseRoute(catalog, catalogFor, {
      url: '/v1/servers',
      summary: 'Browse the catalogue by id, page by page',
      scope: 'search',
    }),
    route({
      method: 'GET',
      url: '/v1/catalogue',
      summary: 'How large the catalogue is, and how many servers there are of each kind',
      scope: 'search',
      reply: Type.Object({
        servers: Type.Integer(),
        tools: Type.Integer(),
        category: facet,
        transport: facet,
        auth: facet,
        source: facet,
      }),
      handle: async ({ caller }) => {
        const { removed: _, ...counts } = await catalogFor(caller).summary();
        return json(counts);
      },
    }),
    route({
      method: 'GET',
      url: '/v1/servers/:id',
      summary: 'One server with its tools (a slash in the id is written %2F)',
      scope: 'search',
      params: Type.Object({ id }),
      reply: Type.Object({ ...server.properties, health: optionalHealth, tools }),
      handle: async ({ params, caller }) => {
        const record = await catalogFor(caller).get(params.id);
        const health = await catalog.health.find(record.id);
        return json({
          ...describeServer(record),
          health: health === null ? null : describeHealth(health),
          tools: record.tools.map((tool) => ({
            name: tool.name,
            description: tool.description,
            input_schema: JSON.parse(tool.inputSchema) as unknown,
          })),
        });
      },
    }),
    route({
      method: 'GET',
      url: '/v1/servers/:id/health',
      summary: 'How a server has been: its last looks and what changed about its tools, newest first',
      scope: 'search',
      params: Type.Object({ id }),
      reply: Type.Object({ health: optionalHealth, looks: Type.Array(look), drift: Type.Array(drift) }),
      handle: async ({ params, caller }) => {
        const { id: serverId } = await catalogFor(caller).get(params.id);
        const [health, looks, changes] = await Promise.all([
          catalog.health.find(serverId),
          catalog.health.history(serverId),
          catalog.health.drift(serverId),
        ]);
        return json({
          health: health === null ? null : describeHealth(health),
          looks: looks.map(({ at, state, latencyMs }) => ({ at: iso(at), state, latency_ms: latencyMs })),
          drift: changes.map(({ at, ...change }) => ({ ...change, at: iso(at) })),
        });
      },
    }),
  ];
}

export function describeHealth(health: Health) {
  return {
    state: health.state,
    era: health.era,
    auth: health.auth,
    latency_ms: health.latencyMs,
    reason: health.reason,
    failures: health.failures,
    uptime: Math.round(health.uptime * 10_000) / 10_000,
    checks: health.checks,
    fingerprint: health.fingerprint,
    suspicions: health.suspicions,
    since: iso(health.since),
    checked_at: iso(health.checkedAt),
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

export function documentedServer(record: ServerRecord) {
  return {
    id: record.id,
    name: record.name,
    description: record.description,
    remote_url: record.remoteUrl,
    auth_required: record.authType !== null,
    auth_type: record.authType,
  };
}

function describeServer(record: ServerRecord) {
  return {
    ...documentedServer(record),
    transport: record.transport,
    category: record.category,
    tags: record.tags,
    verified: record.verified,
    repository_url: record.repositoryUrl,
    version: record.version,
    source: record.source,
    updated_at: iso(record.updatedAt),
  };
}
