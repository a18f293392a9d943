import { Type } from 'typebox';
import type { Principal } from '../access/access.ts';
import type { Catalog, Health, ServerRecord } from '../catalog/catalog.ts';
import { json, type Route, route } from '../http/route.ts';
import { idPath, strict, text } from './field-schemas.ts';
import { isoTime } from './iso-time.ts';
import type { PolicyEnforcement } from './policy-enforcement.ts';
import { catalogSizeSchema, serverHistorySchema, serverPageSchema, serverSchema } from './server-schemas.ts';

const pageQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    cursor: Type.Optional(text(500)),
    text: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'part of an id, a name or a description' }),
    ),
    transport: Type.Optional(Type.Enum(['streamable-http', 'sse', 'stdio'])),
    auth: Type.Optional(Type.Enum(['none', 'api_key', 'bearer', 'oauth2'])),
    category: Type.Optional(text(100)),
    verified: Type.Optional(Type.Boolean()),
    source: Type.Optional(text(200)),
    own: Type.Optional(
      Type.Boolean({
        description: 'written by the operator, by hand or in a file; false: come from elsewhere',
      }),
    ),
    sort: Type.Optional(
      Type.Enum(['id', 'own', 'name', 'health', 'popularity', 'added'], {
        default: 'id',
        description:
          'own: what the operator wrote first; health: what is not well; popularity, added: the most popular, the newest',
      }),
    ),
  },
  strict,
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
    query: pageQuery,
    reply: serverPageSchema,
    handle: async ({ query: { limit = 50, cursor, sort, ...filters }, caller }) => {
      const { servers, nextCursor } = await listFor(caller).list({
        limit,
        filters,
        sort,
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

export function serverRoutes(catalog: Catalog, { catalogFor }: PolicyEnforcement): Route[] {
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
      reply: catalogSizeSchema,
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
      params: idPath,
      reply: serverSchema,
      problems: ['not_found', 'server_gone'],
      handle: async ({ params, caller }) => {
        const record = await catalogFor(caller).get(params.id);
        const health = await catalog.health.find(record.id);
        return json({
          ...describeServer(record),
          user_credentials: record.userCredentials ?? null,
          health: health === null ? null : describeHealth(health),
          tools: record.tools.map((tool) => ({
            name: tool.name,
            description: tool.description,
            input_schema: JSON.parse(tool.inputSchema) as Record<string, unknown>,
          })),
        });
      },
    }),
    route({
      method: 'GET',
      url: '/v1/servers/:id/health',
      summary: 'How a server has been: its last looks and what changed about its tools, newest first',
      scope: 'search',
      params: idPath,
      reply: serverHistorySchema,
      problems: ['not_found', 'server_gone'],
      handle: async ({ params, caller }) => {
        const { id: serverId } = await catalogFor(caller).get(params.id);
        const [health, looks, changes] = await Promise.all([
          catalog.health.find(serverId),
          catalog.health.history(serverId),
          catalog.health.drift(serverId),
        ]);
        return json({
          health: health === null ? null : describeHealth(health),
          looks: looks.map(({ at, state, latencyMs }) => ({ at: isoTime(at), state, latency_ms: latencyMs })),
          drift: changes.map(({ at, ...change }) => ({ ...change, at: isoTime(at) })),
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
    since: isoTime(health.since),
    checked_at: isoTime(health.checkedAt),
  };
}

export function describeServerBasics(record: ServerRecord) {
  return {
    id: record.id,
    name: record.name,
    description: record.description,
    remote_url: record.remoteUrl,
    auth_required: record.authType !== null,
    auth_type: record.authType,
  };
}

export function describeServer(record: ServerRecord) {
  return {
    ...describeServerBasics(record),
    transport: record.transport,
    category: record.category,
    tags: record.tags,
    verified: record.verified,
    repository_url: record.repositoryUrl,
    version: record.version,
    source: record.source,
    updated_at: isoTime(record.updatedAt),
  };
}
